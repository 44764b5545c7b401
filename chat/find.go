package chat

import (
	"context"
	"slices"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/text/secure/precis"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/wire"
)

const (
	minEnding     = 6    // characters of a peer ID that may name a peer
	maxCandidates = 5    // listed when several peers fit
	maxFound      = 4096 // authors of one log that are known
)

// FindPeer returns the peer that a text names: a whole peer ID, which may be
// unknown; a case-sensitive ending of at least 6 characters that only one known
// peer's ID has; a nick that only one known peer bears, oneself left out if
// another does. Known are oneself, the
// peers admitted, remembered, spoken with, and who wrote in a stored log.
// Errors: ErrPeer, ErrNoPeer, ErrPeers, which lists endings that name them, ErrClosed, store
// errors.
func (m *Messenger) FindPeer(ctx context.Context, text string) (peer.ID, error) {
	if err := m.alive(); err != nil {
		return "", err
	}
	if id, err := peer.Decode(text); err == nil {
		if _, err := wire.Author(id); err != nil {
			return "", ErrPeer.Withf("%.80q is not a peer of this kind of network", text)
		}
		return id, nil
	}
	known, err := m.knownPeers(ctx)
	if err != nil {
		return "", err
	}
	if len(text) >= minEnding {
		found := slices.DeleteFunc(slices.Clone(known), func(p peer.ID) bool { return !strings.HasSuffix(p.String(), text) })
		if len(found) > 0 {
			return m.onlyOne(text, found)
		}
	}
	found, err := m.bearing(text, known)
	if err != nil {
		return "", err
	}
	if len(found) > 1 { // others are meant
		found = slices.DeleteFunc(found, func(p peer.ID) bool { return p == m.id })
	}
	return m.onlyOne(text, found)
}

// bearing returns those who bear a nick.
func (m *Messenger) bearing(nick string, known []peer.ID) ([]peer.ID, error) {
	key, err := precis.Nickname.CompareKey(nick)
	if err != nil {
		return nil, ErrNoPeer.Withf("%.80q names no peer", nick)
	}
	var found []peer.ID
	for _, p := range known {
		if own, err := precis.Nickname.CompareKey(m.Nick(p)); err == nil && own == key {
			found = append(found, p)
		}
	}
	return found, nil
}

func (m *Messenger) onlyOne(text string, found []peer.ID) (peer.ID, error) {
	switch len(found) {
	case 0:
		return "", ErrNoPeer.Withf("no known peer is called %.80q", text)
	case 1:
		return found[0], nil
	}
	var list []string
	for _, p := range found[:min(len(found), maxCandidates)] {
		list = append(list, ending(p, found))
	}
	if len(found) > maxCandidates {
		list = append(list, "…")
	}
	return "", ErrPeers.Withf("%d known peers are called %.80q: %s", len(found), text, strings.Join(list, ", "))
}

// ending returns the shortest ending of a peer's ID, of at least shortID
// characters, that none of the others' has.
func ending(p peer.ID, all []peer.ID) string {
	id := p.String()
	for n := shortID; n < len(id); n++ {
		text := id[len(id)-n:]
		if !slices.ContainsFunc(all, func(o peer.ID) bool { return o != p && strings.HasSuffix(o.String(), text) }) {
			return text
		}
	}
	return id
}

// knownPeers returns the known peers, each once, ascending.
func (m *Messenger) knownPeers(context.Context) ([]peer.ID, error) {
	known := []peer.ID{m.id}
	for _, p := range m.node.Peers() {
		known = append(known, p.ID)
	}
	known = append(known, m.node.Known()...)
	for _, a := range m.direct.Load().Chats() {
		known = append(known, wire.PeerID(a))
	}
	m.mu.Lock()
	logs := make([]event.LogID, 0, len(m.byLog))
	for log := range m.byLog {
		logs = append(logs, log)
	}
	m.mu.Unlock()
	for _, log := range logs {
		authors, err := m.store.Authors(log, maxFound)
		if err != nil {
			return nil, err
		}
		for _, a := range authors {
			known = append(known, wire.PeerID(a))
		}
	}
	known = slices.DeleteFunc(known, func(p peer.ID) bool { // of another kind of key: cannot be spoken with
		_, err := wire.Author(p)
		return err != nil
	})
	slices.Sort(known)
	return slices.Compact(known), nil
}
