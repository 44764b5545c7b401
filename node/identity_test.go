package node

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/parley-chat/parley/internal/wire"
)

func TestIdentityIsMadeOnceAndStays(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	if _, err := LoadIdentity(dir); !errors.Is(err, ErrNoIdentity) {
		t.Errorf("loading what is absent: %v", err)
	}
	a, err := OpenIdentity(dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := OpenIdentity(dir)
	if err != nil || a.ID() != b.ID() || a.StoreKey() != b.StoreKey() {
		t.Errorf("opened again: %v, %v and %v", err, a.ID(), b.ID())
	}
	if a.StoreKey() == [32]byte{} || a.StoreKey() == a.Author() {
		t.Error("the store's key is not one of its own")
	}
	if mode(t, filepath.Join(dir, identityFile)) != 0o600 || mode(t, dir) != 0o700 {
		t.Error("the identity is open to others")
	}
	author := a.Author()
	if !ed25519.Verify(author[:], []byte("m"), a.Sign([]byte("m"))) {
		t.Error("the author's key does not verify a signature")
	}
	if id := wire.PeerID(author); id != a.ID() {
		t.Error("the peer ID is not of the author's key")
	}
}

// Of processes that start on one fresh directory all must see one identity.
func TestIdentityIsMadeByOne(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	ids := make([]string, 8)
	for i := range ids {
		wg.Go(func() {
			if id, err := OpenIdentity(dir); err != nil {
				ids[i] = err.Error()
			} else {
				ids[i] = id.ID().String()
			}
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Errorf("got %q and %q", ids[0], id)
		}
	}
}

func TestDamagedIdentityIsToldAndKept(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, identityFile)
	if _, err := OpenIdentity(dir); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := [][]byte{nil, good[:len(good)-1], append(bytes.Clone(good), '\n'), bytes.ReplaceAll(good, []byte("\n"), []byte("\r\n")), make([]byte, len(good)), make([]byte, 8<<10)}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		damaged = append(damaged, bad)
	}
	for _, bad := range damaged {
		write(t, path, string(bad), 0o600)
		if id, err := OpenIdentity(dir); err == nil {
			t.Fatalf("a damaged file gave %v:\n%s", id.ID(), bad)
		} else if !errors.Is(err, ErrIdentityCorrupt) && len(bad) <= 4<<10 {
			t.Fatalf("damage is told as %v", err)
		}
		if data, _ := os.ReadFile(path); !bytes.Equal(data, bad) {
			t.Fatal("a damaged file was changed")
		}
	}
	write(t, path, string(good), 0o644)
	if _, err := OpenIdentity(dir); !errors.Is(err, ErrPermissions) {
		t.Errorf("a readable key: %v", err)
	}
}

// spec: 01-network M28
func TestKeysStayOutOfLogs(t *testing.T) {
	id, err := makeIdentity([32]byte{1}, [32]byte{2})
	if err != nil {
		t.Fatal(err)
	}
	f, err := foundNetwork("garden", ModeSecret, ed25519.NewKeyFromSeed(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "id", id, "net", f, "invite", f.Invite(nil))
	secret := f.Epoch().Secret
	for _, leak := range []string{string(id.key), fmt.Sprint(id.key.Seed()[:4]), string(secret[:]), f.Invite(nil).String(), fmt.Sprint(secret[:4])[1:12]} {
		if strings.Contains(log.String(), leak) {
			t.Errorf("a secret is in the log: %s", &log)
		}
	}
}

// The file is a format that backups keep for years.
func TestIdentityVector(t *testing.T) {
	data, err := os.ReadFile("testdata/identity.key")
	if err != nil {
		t.Fatal(err)
	}
	id, err := parseIdentity(data)
	if err != nil {
		t.Fatal(err)
	}
	want, err := makeIdentity(seq(0), seq(0x80))
	if err != nil {
		t.Fatal(err)
	}
	if id.ID() != want.ID() || id.StoreKey() != want.StoreKey() || id.ID().String() != "12D3KooWA4Xop1JaT3MHxwYMkCepYsv4iPVopMXwCz5iHYdBfeSB" {
		t.Errorf("the vector is %v", id.ID())
	}
}

// seq returns the 32 bytes from, from+1, …
func seq(from byte) (b [32]byte) {
	for i := range b {
		b[i] = from + byte(i)
	}
	return b
}
