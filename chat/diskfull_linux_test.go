package chat_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/internal/disk/disktest"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/node"
)

func TestAFullDiskIsToldAndLivedThrough(t *testing.T) {
	small := disktest.Mount(t, 64)
	dir := small.Dir
	cfg := localConfig(filepath.Join(dir, "node"))
	cfg.Light = true
	n, err := node.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	m, err := chat.Open(t.Context(), n, chat.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	r, err := m.Join(t.Context(), "lobby")
	if err != nil {
		t.Fatal(err)
	}
	small.Use(30 << 20)
	text := chat.Text(strings.Repeat("x", 50_000))
	sent := 0
	for ; err == nil && sent < 2000; sent++ {
		_, err = r.Send(t.Context(), text)
	}
	if !errors.Is(err, eventlog.ErrDiskFull) || sent < 2 {
		t.Fatalf("after %d messages: %v", sent, err)
	}
	small.Use(4 << 20) // too little is left for the smallest event now
	if err := m.Leave(t.Context(), "lobby"); !errors.Is(err, eventlog.ErrDiskFull) || !r.Joined() {
		t.Errorf("leaving: %v, joined: %v", err, r.Joined())
	}
	if _, err := m.Join(t.Context(), "den"); !errors.Is(err, eventlog.ErrDiskFull) {
		t.Errorf("joining: %v", err)
	}
	got := 0
	for _, err := range r.History(t.Context(), chat.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		got++
	}
	if got != sent-1 {
		t.Errorf("%d of %d messages are there", got, sent-1)
	}
	small.Resize(256)
	if _, err := r.Send(t.Context(), chat.Text("there is room again")); err != nil {
		t.Error(err)
	}
}
