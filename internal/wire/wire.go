// Package wire has what Parley's own stream protocols share: length-prefixed
// frames with a limit, the names of protocols and topics, which carry the
// network's tag, and the two ways of writing an author: raw key and peer ID.
//
// A frame is an unsigned varint, the number of bytes that follow, and those
// bytes. Functions of this package keep no state.
package wire

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/libp2p/go-libp2p/core/protocol"
)

// ErrFrameSize is returned for a frame that announces more than the limit.
var ErrFrameSize = errors.New("frame over the limit")

// What a stream between two peers is for, as the first frame of a direct
// chat's says it and as the names of the bare protocols do.
const (
	ForChat  = "chat"
	ForFetch = "fetch"
	ForSync  = "sync"
	ForAcks  = "acks"
)

// LogProtocol is the protocol by which a room's log is asked for: ForFetch
// serves events by id, ForSync reconciles, ForAcks tells the asker what of its own
// is stored.
func LogProtocol(tag, purpose string) protocol.ID {
	return protocol.ID("/parley/" + tag + "/" + purpose + "/1.0.0")
}

// DirectProtocol is the protocol of everything about direct chats.
func DirectProtocol(tag string) protocol.ID { return LogProtocol(tag, "direct") }

// SignalProtocol is the protocol that hands one signal to a peer.
func SignalProtocol(tag string) protocol.ID {
	return protocol.ID("/parley/" + tag + "/signal/1.0.0")
}

// LogTopic is the gossip topic of a log.
func LogTopic(tag string, log [32]byte) string {
	return "/parley/" + tag + "/" + hex.EncodeToString(log[:])
}

// SignalTopic is the gossip topic of applications' signals in a log.
func SignalTopic(tag string, log [32]byte) string { return LogTopic(tag, log) + "/signal" }

// PresenceTopic is the gossip topic of presence signals.
func PresenceTopic(tag string) string { return "/parley/" + tag + "/presence" }

// AppendFrame appends b as a frame to dst.
func AppendFrame(dst, b []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(b)))
	return append(dst, b...)
}

// WriteFrame writes b as a frame with one Write.
func WriteFrame(w io.Writer, b []byte) error {
	_, err := w.Write(AppendFrame(make([]byte, 0, len(b)+binary.MaxVarintLen32), b))
	return err
}

// ReadFrame reads one frame of at most limit bytes into a new slice, which is
// allocated only as far as bytes come in once it is over 64 KiB. At a clean
// end before the frame it returns io.EOF, within it io.ErrUnexpectedEOF.
func ReadFrame(r *bufio.Reader, limit int) ([]byte, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	if n > uint64(limit) {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrFrameSize, n, limit)
	}
	const trusted = 64 << 10
	b := make([]byte, min(int(n), trusted))
	for have := 0; ; {
		m, err := io.ReadFull(r, b[have:])
		have += m
		if err != nil {
			return nil, unexpected(err)
		}
		if have == int(n) {
			return b, nil
		}
		b = append(b, make([]byte, min(int(n)-have, have))...)
	}
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
