package wire_test

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/wire"
)

// spec: 01-network M8
func TestFramesRoundTripUpToTheLimit(t *testing.T) {
	for _, size := range []int{0, 1, 127, 128, 64 << 10, 64<<10 + 1, 300_000} {
		want := bytes.Repeat([]byte{7}, size)
		var buf bytes.Buffer
		if err := wire.WriteFrame(&buf, want); err != nil {
			t.Fatal(err)
		}
		got, err := wire.ReadFrame(bufio.NewReader(&buf), size)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("size %d: %d bytes, %v", size, len(got), err)
		}
	}
}

// spec: 01-network M9
func TestFrameOverTheLimitIsRefused(t *testing.T) {
	frame := wire.AppendFrame(nil, make([]byte, 11))
	if _, err := wire.ReadFrame(bufio.NewReader(bytes.NewReader(frame)), 10); !errors.Is(err, wire.ErrFrameSize) {
		t.Fatalf("got %v", err)
	}
}

func TestFrameCutShortIsNotAnEnd(t *testing.T) {
	frame := wire.AppendFrame(nil, make([]byte, 200_000))
	for _, n := range []int{1, 3, 100, 70_000, 199_999} {
		_, err := wire.ReadFrame(bufio.NewReader(bytes.NewReader(frame[:n])), 1<<20)
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
	if _, err := wire.ReadFrame(bufio.NewReader(bytes.NewReader(nil)), 10); err != io.EOF {
		t.Errorf("empty: %v", err)
	}
}

func TestAuthorAndPeerIDAreTwoWaysOfWritingAKey(t *testing.T) {
	pub, _, _ := ed25519.GenerateKey(rand.Reader)
	key, err := crypto.UnmarshalEd25519PublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	want, err := peer.IDFromPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if got := wire.PeerID([32]byte(pub)); got != want {
		t.Fatalf("peer ID %s, want %s", got, want)
	}
	author, err := wire.Author(want)
	if err != nil || !bytes.Equal(author[:], pub) {
		t.Fatalf("author %x, %v", author, err)
	}
	if _, err := wire.Author("not a peer"); !errors.Is(err, wire.ErrNotEd25519) {
		t.Fatalf("got %v", err)
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add(wire.AppendFrame(nil, []byte("hello")))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := wire.ReadFrame(bufio.NewReader(bytes.NewReader(data)), 1000)
		if err == nil && len(b) > 1000 {
			t.Fatal("over the limit")
		}
	})
}
