package chat_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/node"
)

// smallDisk mounts a disk of 64 MB for the test.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatalf("group root: mounting a small disk: %v", err)
	}
	if err != nil {
		t.Skipf("group root: mounting a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestAFullDiskIsToldAndLivedThrough(t *testing.T) {
	dir := smallDisk(t)
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
	ballast := func(name string, size int) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ballast("much", 30<<20)
	text := chat.Text(strings.Repeat("x", 50_000))
	sent := 0
	for ; err == nil && sent < 2000; sent++ {
		_, err = r.Send(t.Context(), text)
	}
	if !errors.Is(err, eventlog.ErrDiskFull) || sent < 2 {
		t.Fatalf("after %d messages: %v", sent, err)
	}
	ballast("more", 4<<20) // too little is left for the smallest event now
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
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT, "size=256m"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Send(t.Context(), chat.Text("there is room again")); err != nil {
		t.Error(err)
	}
}
