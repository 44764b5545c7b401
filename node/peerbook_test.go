package node

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

func somePeer(t testing.TB, n int, addrs ...string) peer.AddrInfo {
	t.Helper()
	id, err := makeIdentity([32]byte{byte(n), byte(n >> 8), 1}, [32]byte{})
	if err != nil {
		t.Fatal(err)
	}
	info := peer.AddrInfo{ID: id.ID()}
	for _, a := range addrs {
		info.Addrs = append(info.Addrs, ma.StringCast(a))
	}
	return info
}

func TestPeersAreRemembered(t *testing.T) {
	dir := t.TempDir()
	b := openPeerBook(dir, nil)
	if len(b.all()) != 0 {
		t.Error("a new book is not empty")
	}
	synctest.Test(t, func(t *testing.T) { // so that the order of time is sure
		b.remember(somePeer(t, 1, "/ip4/10.0.0.1/tcp/1"))
		time.Sleep(time.Second)
		b.remember(somePeer(t, 2, "/ip4/10.0.0.2/tcp/1", "/ip4/10.0.0.2/udp/1/quic-v1"))
		time.Sleep(time.Second)
		b.remember(somePeer(t, 1, "/ip4/10.0.0.9/tcp/1"))
		b.remember(somePeer(t, 3))
	})
	if err := b.flush(); err != nil {
		t.Fatal(err)
	}
	got := openPeerBook(dir, nil).all()
	want := []peer.AddrInfo{somePeer(t, 1, "/ip4/10.0.0.9/tcp/1"), somePeer(t, 2, "/ip4/10.0.0.2/tcp/1", "/ip4/10.0.0.2/udp/1/quic-v1")}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	path := filepath.Join(dir, peersFile)
	if mode(t, path) != 0o600 {
		t.Error("the book is open to others")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := b.flush(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("an unchanged book is written again")
	}
}

func TestRememberedPeersAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		b := openPeerBook(dir, nil)
		for i := range maxRemembered + 20 {
			p := somePeer(t, i)
			for port := 1; port <= maxRememberAddrs+3; port++ {
				p.Addrs = append(p.Addrs, ma.StringCast(fmt.Sprintf("/ip4/10.0.0.1/tcp/%d", port)))
			}
			b.remember(p)
			time.Sleep(time.Second)
		}
		b.remember(somePeer(t, 9999, "/dns4/"+strings.Repeat("x", 255)+"/tcp/1"))
		if err := b.flush(); err != nil {
			t.Fatal(err)
		}
		got := openPeerBook(dir, nil).all()
		if len(got) != maxRemembered || got[0].ID != somePeer(t, maxRemembered+19).ID || got[maxRemembered-1].ID != somePeer(t, 20).ID {
			t.Errorf("%d peers, first %v", len(got), got[0].ID)
		}
		for _, p := range got {
			if len(p.Addrs) != maxRememberAddrs {
				t.Fatalf("%d addresses", len(p.Addrs))
			}
		}
	})
}

func TestDamagedPeersAreSetAside(t *testing.T) {
	id := somePeer(t, 1).ID.String()
	for _, bad := range []string{
		"", "null", "[]", `{"version":2}`, `{"version":1,"peers":[{"id":"x"}]}`,
		`{"version":1,"peers":[{"id":"` + id + `","addrs":[]}]}`,
		`{"version":1,"peers":[{"id":"` + id + `","addrs":["/ip4/x"]}]}`,
		strings.Repeat(" ", maxPeersFile+1),
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, peersFile)
		write(t, path, bad, 0o600)
		var log bytes.Buffer
		b := openPeerBook(dir, slog.New(slog.NewTextHandler(&log, nil)))
		if len(b.all()) != 0 || !strings.Contains(log.String(), "level=WARN") {
			t.Errorf("%.40q: %v, log %q", bad, b.all(), &log)
		}
		if kept, _ := os.ReadFile(path + ".damaged"); string(kept) != bad {
			t.Errorf("%.40q is not kept", bad)
		}
		b.remember(somePeer(t, 1, "/ip4/10.0.0.1/tcp/1"))
		if err := b.flush(); err != nil || len(openPeerBook(dir, nil).all()) != 1 {
			t.Errorf("%.40q: cannot begin anew: %v", bad, err)
		}
	}
}

func TestUnwritablePeersAreTriedAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	b := openPeerBook(dir, nil)
	b.remember(somePeer(t, 1, "/ip4/10.0.0.1/tcp/1"))
	if err := b.flush(); err == nil {
		t.Fatal("a book without a directory is written")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := b.flush(); err != nil || len(openPeerBook(dir, nil).all()) != 1 {
		t.Errorf("not written later: %v", err)
	}
}

func FuzzParsePeers(f *testing.F) {
	b := openPeerBook(f.TempDir(), nil)
	b.remember(somePeer(f, 1, "/ip4/10.0.0.1/tcp/1"))
	f.Add(b.encodeLocked())
	f.Fuzz(func(t *testing.T, data []byte) {
		peers, err := parsePeers(data)
		if err == nil && len(peers) > maxRemembered {
			t.Fatalf("%d peers", len(peers))
		}
	})
}
