package direct

import (
	"bufio"
	"context"
	"net"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/security/noise"

	"github.com/parley-chat/parley/internal/wire"
)

// prologue begins that of the handshake, before the network's ID: a handshake
// of another network, or for another purpose, does not succeed.
// spec: 07-direct §2
const prologue = "parley/direct/1"

// newNoise returns libp2p's Noise for one network.
func newNoise(key crypto.PrivKey, network [32]byte) (*noise.SessionTransport, error) {
	t, err := noise.New(noise.ID, key, nil)
	if err != nil {
		return nil, err
	}
	return t.WithSessionOptions(noise.Prologue(append([]byte(prologue), network[:]...)))
}

// sealed is a stream under Noise, whose other end has proved to be a peer. It
// is a delivery.Stream.
type sealed struct {
	sec.SecureConn // reads and writes
	raw            network.Stream
}

func (s *sealed) CloseWrite() error { return s.raw.CloseWrite() }
func (s *sealed) Close() error      { return s.raw.Close() }
func (s *sealed) Reset() error      { return s.raw.Reset() }

// sealOut is the opener's half of the handshake; it then says what for.
func (s *Service) sealOut(ctx context.Context, raw network.Stream, p peer.ID, purpose string) (*sealed, error) {
	c, err := s.noise.SecureOutbound(ctx, conn{raw}, p)
	if err != nil {
		return nil, err
	}
	out := &sealed{c, raw}
	return out, wire.WriteFrame(out, []byte(purpose))
}

// sealIn is the other half; it returns what the stream is for.
func (s *Service) sealIn(ctx context.Context, raw network.Stream, p peer.ID) (*sealed, string, error) {
	c, err := s.noise.SecureInbound(ctx, conn{raw}, p)
	if err != nil {
		return nil, "", err
	}
	in := &sealed{c, raw}
	purpose, err := wire.ReadFrame(bufio.NewReaderSize(oneByte{in}, 16), maxPurpose)
	return in, string(purpose), err
}

// maxPurpose bounds the first frame, in bytes.
const maxPurpose = 16

// oneByte reads no further than it is asked to: what follows the first frame
// is for another reader.
type oneByte struct{ s *sealed }

func (r oneByte) Read(b []byte) (int, error) { return r.s.Read(b[:min(len(b), 1)]) }

// conn is a stream as Noise wants it.
type conn struct{ network.Stream }

func (c conn) LocalAddr() net.Addr  { return addr{} }
func (c conn) RemoteAddr() net.Addr { return addr{} }

// Close gives up a stream whose handshake failed.
func (c conn) Close() error { return c.Reset() }

type addr struct{}

func (addr) Network() string { return "libp2p" }
func (addr) String() string  { return "stream" }
