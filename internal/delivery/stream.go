package delivery

import (
	"context"
	"io"

	"github.com/libp2p/go-libp2p/core/peer"
)

// Stream is a stream to one peer.
type Stream interface {
	io.ReadWriter
	CloseWrite() error
	Close() error
	Reset() error // no effect on a stream that is closed
}

// open opens a stream to p for a purpose of package wire.
func (l *Log) open(ctx context.Context, p peer.ID, purpose string) (Stream, error) {
	return l.way.Open(ctx, p, purpose)
}

// peers returns the connected peers that replicate this log too.
func (l *Log) peers() []peer.ID { return l.way.Peers() }
