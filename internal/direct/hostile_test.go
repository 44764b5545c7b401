package direct

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// pipeStream is one end of a pipe as a stream.
type pipeStream struct {
	network.Stream
	end     net.Conn
	written *bytes.Buffer
}

func (s pipeStream) Read(b []byte) (int, error) { return s.end.Read(b) }

func (s pipeStream) Write(b []byte) (int, error) {
	s.written.Write(b)
	return s.end.Write(b)
}

func (s pipeStream) Close() error { return s.end.Close() }
func (s pipeStream) Reset() error { return s.end.Close() }

// pipe returns both ends of a pipe, and what is written to the first.
func pipe() (x, y pipeStream, seen *bytes.Buffer) {
	a, b := net.Pipe()
	seen = new(bytes.Buffer)
	return pipeStream{end: a, written: seen}, pipeStream{end: b, written: new(bytes.Buffer)}, seen
}

func keyed(t *testing.T, networkID byte) (*Service, peer.ID) {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(nil)
	if err != nil {
		t.Fatal(err)
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	n, err := newNoise(key, [32]byte{networkID})
	if err != nil {
		t.Fatal(err)
	}
	return &Service{noise: n}, id
}

// A stream opens only between the two peers that are meant, in one network, and
// what goes over it cannot be read on the way.
//
// spec: 07-direct M3
func TestAStreamIsSealedForItsNetworkAndPeer(t *testing.T) {
	a, idA := keyed(t, 1)
	b, idB := keyed(t, 1)
	other, idOther := keyed(t, 2)
	type result struct {
		s   *sealed
		why string
		err error
	}
	shake := func(out *Service, to peer.ID, in *Service, from peer.ID) (*sealed, result, *bytes.Buffer, error) {
		x, y, seen := pipe()
		done := make(chan result, 1)
		go func() { // ends with the pipe
			s, why, err := in.sealIn(context.Background(), y, from)
			if err != nil {
				_ = y.Reset()
			}
			done <- result{s, why, err}
		}()
		s, err := out.sealOut(context.Background(), x, to, "chat")
		if err != nil {
			_ = x.Reset()
		}
		return s, <-done, seen, err
	}
	s, r, seen, err := shake(a, idB, b, idA)
	if err != nil || r.err != nil || r.why != "chat" {
		t.Fatal(err, r)
	}
	secret := []byte("nobody reads this on the way")
	go func() { _, _ = s.Write(secret) }() // ends when it was read
	got := make([]byte, len(secret))
	if _, err := io.ReadFull(r.s, got); err != nil || !bytes.Equal(got, secret) {
		t.Fatalf("%q, %v", got, err)
	}
	if bytes.Contains(seen.Bytes(), secret) || bytes.Contains(seen.Bytes(), []byte("chat")) {
		t.Error("the stream shows what is said")
	}
	if _, r, _, err := shake(a, idOther, other, idA); err == nil && r.err == nil {
		t.Error("a stream between networks")
	}
	if _, _, _, err := shake(a, idOther, b, idA); err == nil {
		t.Error("a stream to another peer than was meant")
	}
	if _, r, _, _ := shake(a, idB, b, idOther); r.err == nil {
		t.Error("a stream of another peer than the connection's")
	}
}
