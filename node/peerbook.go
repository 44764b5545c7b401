package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/parley-chat/parley/internal/disk"
)

// Bounds of the remembered peers.
const (
	maxRemembered    = 256
	maxRememberAddrs = 8
	maxAddrText      = 256     // bytes of one address as text; so the file stays under its limit
	maxPeersFile     = 1 << 20 // bytes
)

// peerBook remembers admitted peers and their addresses over restarts, in
// DIR/peers.json: at most 256, those seen longest ago make room. It is a help,
// not a promise: a damaged file is set aside with a warning. Safe for
// concurrent use.
type peerBook struct {
	path string
	log  *slog.Logger

	mu    sync.Mutex
	peers map[peer.ID]remembered
	dirty bool
}

type remembered struct {
	addrs []ma.Multiaddr
	seen  time.Time // zero: never, others named it
}

// peersJSON is the form of DIR/peers.json.
type peersJSON struct {
	Version int        `json:"version"`
	Peers   []peerJSON `json:"peers"` // newest first
}

type peerJSON struct {
	ID    string    `json:"id"`
	Addrs []string  `json:"addrs"`
	Seen  time.Time `json:"seen"` // UTC
}

// openPeerBook reads the remembered peers of a directory.
func openPeerBook(dir string, log *slog.Logger) *peerBook {
	b := &peerBook{path: filepath.Join(dir, peersFile), log: orSilent(log), peers: map[peer.ID]remembered{}}
	data, err := readFile(b.path, maxPeersFile, false)
	if errors.Is(err, fs.ErrNotExist) {
		return b
	}
	if err == nil {
		b.peers, err = parsePeers(data)
	}
	if err != nil {
		b.setAside(err)
	}
	return b
}

// setAside keeps a damaged file for who wants to look, and begins anew.
func (b *peerBook) setAside(cause error) {
	b.peers = map[peer.ID]remembered{}
	aside := b.path + ".damaged"
	if err := os.Rename(b.path, aside); err != nil {
		b.log.Warn("the remembered peers cannot be read", "err", errors.Join(cause, err))
		return
	}
	b.log.Warn("the remembered peers were damaged and are set aside", "file", aside, "err", cause)
}

func parsePeers(data []byte) (map[peer.ID]remembered, error) {
	var j peersJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return nil, err
	}
	if j.Version != 1 || len(j.Peers) > maxRemembered {
		return nil, fmt.Errorf("version %d with %d peers", j.Version, len(j.Peers))
	}
	peers := make(map[peer.ID]remembered, len(j.Peers))
	for _, p := range j.Peers {
		id, err := peer.Decode(p.ID)
		if err != nil {
			return nil, err
		}
		if len(p.Addrs) == 0 || len(p.Addrs) > maxRememberAddrs {
			return nil, fmt.Errorf("peer %v has %d addresses", id, len(p.Addrs))
		}
		r := remembered{seen: p.Seen}
		for _, text := range p.Addrs {
			a, err := ma.NewMultiaddr(text)
			if err != nil {
				return nil, err
			}
			r.addrs = append(r.addrs, a)
		}
		peers[id] = r
	}
	return peers, nil
}

// remember takes note of an admitted peer and where it was reached, the most
// useful address first; more than 8 are left out.
func (b *peerBook) remember(info peer.AddrInfo) { b.put(info, time.Now().UTC()) }

func (b *peerBook) put(info peer.AddrInfo, seen time.Time) {
	addrs := slices.DeleteFunc(slices.Clone(info.Addrs), func(a ma.Multiaddr) bool { return len(a.String()) > maxAddrText })
	if len(addrs) == 0 {
		return
	}
	addrs = addrs[:min(len(addrs), maxRememberAddrs)]
	b.mu.Lock()
	defer b.mu.Unlock()
	b.peers[info.ID] = remembered{addrs, seen}
	b.dirty = true
	if len(b.peers) > maxRemembered {
		oldest := b.idsLocked()[maxRemembered]
		delete(b.peers, oldest)
	}
}

// introduce takes note of a peer that an invite or a registrar names, unless it is
// known: where it was reached says more. The invite may not be given at the next
// start.
func (b *peerBook) introduce(info peer.AddrInfo) {
	b.mu.Lock()
	_, known := b.peers[info.ID]
	b.mu.Unlock()
	if !known {
		b.put(info, time.Time{})
	}
}

// knows reports whether p is remembered as one that was admitted here.
func (b *peerBook) knows(p peer.ID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.peers[p].seen.IsZero()
}

// all returns the remembered peers, the one seen last first.
func (b *peerBook) all() []peer.AddrInfo {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]peer.AddrInfo, 0, len(b.peers))
	for _, id := range b.idsLocked() {
		out = append(out, peer.AddrInfo{ID: id, Addrs: slices.Clone(b.peers[id].addrs)})
	}
	return out
}

func (b *peerBook) idsLocked() []peer.ID {
	ids := make([]peer.ID, 0, len(b.peers))
	for id := range b.peers {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(x, y peer.ID) int {
		if c := b.peers[y].seen.Compare(b.peers[x].seen); c != 0 {
			return c
		}
		return slices.Compare([]byte(x), []byte(y))
	})
	return ids
}

// flush writes the book if it changed since. It is called now and then and at
// the end, by one goroutine.
func (b *peerBook) flush() error {
	b.mu.Lock()
	dirty := b.dirty
	b.dirty = false
	data := b.encodeLocked()
	b.mu.Unlock()
	if !dirty {
		return nil
	}
	if err := disk.Replace(b.path, data); err != nil {
		b.mu.Lock()
		b.dirty = true
		b.mu.Unlock()
		return ErrDir.With(err)
	}
	return nil
}

func (b *peerBook) encodeLocked() []byte {
	j := peersJSON{Version: 1, Peers: []peerJSON{}}
	for _, id := range b.idsLocked() {
		p := peerJSON{ID: id.String(), Seen: b.peers[id].seen}
		for _, a := range b.peers[id].addrs {
			p.Addrs = append(p.Addrs, a.String())
		}
		j.Peers = append(j.Peers, p)
	}
	data, err := json.MarshalIndent(j, "", "  ")
	if err != nil {
		panic(err) // strings and times always encode
	}
	return append(data, '\n')
}
