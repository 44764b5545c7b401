package chat_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node"
)

// loopback starts a node with a messenger on TCP of this machine alone.
func loopback(b testing.TB, peers ...peer.AddrInfo) (*node.Node, *chat.Messenger) {
	b.Helper()
	cfg := localConfig(b.TempDir())
	cfg.Peers = peers
	n, err := node.Start(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = n.Close() })
	m, err := chat.Open(b.Context(), n, chat.Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = m.Close() })
	return n, m
}

func texts256(n int) func(func(chat.Content) bool) {
	text := chat.Text(strings.Repeat("x", 256))
	return func(yield func(chat.Content) bool) {
		for range n {
			if !yield(text) {
				return
			}
		}
	}
}

// BenchmarkSendAll is sending 256-byte texts, many under way, until each is
// safe on disk; nobody listens.
func BenchmarkSendAll(b *testing.B) {
	_, m := loopback(b)
	r, err := m.Join(b.Context(), "lobby")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for _, err := range r.SendAll(b.Context(), texts256(b.N)) {
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSendOne is one text at a time until it is safe on disk.
func BenchmarkSendOne(b *testing.B) {
	_, m := loopback(b)
	r, err := m.Join(b.Context(), "lobby")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Send(b.Context(), chat.Text("hello")); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTwoNodes is sending 256-byte texts over TCP to one other node, until
// its application has seen the last.
func BenchmarkTwoNodes(b *testing.B) {
	n, m := loopback(b)
	_, other := loopback(b, peer.AddrInfo{ID: n.ID(), Addrs: n.Addrs()})
	r, err := m.Join(b.Context(), "lobby")
	if err != nil {
		b.Fatal(err)
	}
	if _, err := other.Join(b.Context(), "lobby"); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	arrived := make(chan struct{})
	total := b.N + 1
	met := make(chan struct{})
	go func() { // ends with ctx
		defer close(arrived)
		seen := 0
		for u := range other.Updates(ctx, 0) {
			if _, ok := u.(chat.MessageAdded); !ok {
				continue
			}
			if seen++; seen == 1 {
				close(met)
			}
			if seen == total {
				return
			}
		}
	}()
	if _, err := r.Send(ctx, chat.Text("are you there?")); err != nil {
		b.Fatal(err)
	}
	<-met
	b.ReportAllocs()
	b.ResetTimer()
	for _, err := range r.SendAll(ctx, texts256(b.N)) {
		if err != nil {
			b.Fatal(err)
		}
	}
	<-arrived
}
