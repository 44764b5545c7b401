package chat

import (
	"context"
	"slices"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/text/secure/precis"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/presence"
	"github.com/parley-chat/parley/internal/wire"
)

// shortID is how many characters of a peer ID stand for a missing nick.
const shortID = 8

// cleanNick returns a nick as RFC 8266 writes it, or ErrNick.
func cleanNick(nick string) (string, error) {
	clean, err := precis.Nickname.String(nick)
	if err == nil {
		_, err = event.Profile{Nick: clean}.Encode()
	}
	if err != nil || !presence.ValidName(clean) {
		return "", ErrNick.Withf("%.80q is not a usable nick", nick)
	}
	return clean, nil
}

func (m *Messenger) ownNick() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.nick
}

// SetNick changes and remembers the own nick and writes a profile event to
// each joined room. Errors: ErrNick, ErrClosed, store errors.
func (m *Messenger) SetNick(ctx context.Context, nick string) error {
	nick, err := cleanNick(nick)
	if err != nil {
		return err
	}
	end, err := m.change(ctx)
	if err != nil {
		return err
	}
	defer end()
	if m.ownNick() != nick {
		if err := m.store.SetMeta(metaNick, []byte(nick)); err != nil {
			return err
		}
		m.mu.Lock()
		m.nick = nick
		m.mu.Unlock()
		m.node.Table().SetNick(nick)
		m.presence.Load().Touch()
	}
	for _, r := range m.joinedRooms() {
		if err := r.introduce(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Nick returns what the network calls p: its latest signal's nick, else its
// latest profile in any room, else what it was called in a direct chat, else
// the end of its ID. Never empty.
func (m *Messenger) Nick(p peer.ID) string {
	author, err := wire.Author(p)
	if err != nil {
		return short(p)
	}
	return m.nickOf(author, nil)
}

// nickOf returns an author's name in a room, or in the network if r is nil.
func (m *Messenger) nickOf(author event.Author, r *Room) string {
	if author == m.self {
		if nick := m.ownNick(); nick != "" {
			return nick
		}
		return short(m.id)
	}
	if r != nil {
		if nick := r.nick(author); nick != "" {
			return nick
		}
	}
	if p := m.presence.Load(); p != nil {
		known, _ := p.Peer(author)
		if nick := shown(known.Nick); nick != "" {
			return nick
		}
	}
	for _, r := range m.joinedRooms() {
		if nick := r.nick(author); nick != "" {
			return nick
		}
	}
	if d := m.direct.Load(); d != nil {
		if nick := shown(d.Nick(author)); nick != "" {
			return nick
		}
	}
	return short(wire.PeerID(author))
}

// nick returns the nick of an author's latest profile in the room, if it can be
// shown.
func (r *Room) nick(author event.Author) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	m, _ := r.view.Member(author)
	return shown(m.Nick)
}

// Names are worked out for each message that is shown, and cost more than all the
// rest of it.
var shownNicks, shortNames memo[string, string]

// shown returns what others call themselves, if they may: empty if it is not a
// nick by our own rule, such as one that cannot be seen.
func shown(nick string) string {
	if nick == "" {
		return ""
	}
	return shownNicks.get(nick, func() string {
		clean, err := cleanNick(nick)
		if err != nil {
			return ""
		}
		return clean
	})
}

func short(p peer.ID) string {
	return shortNames.get(string(p), func() string {
		s := p.String()
		return strings.Clone(s[max(0, len(s)-shortID):])
	})
}

// Ignore hides what p writes from history and updates, or shows it again; it
// is remembered. Nothing is deleted and nobody is told.
func (m *Messenger) Ignore(ctx context.Context, p peer.ID, on bool) error {
	author, err := wire.Author(p)
	if err != nil {
		return ErrPeer.With(err)
	}
	end, err := m.change(ctx)
	if err != nil {
		return err
	}
	defer end()
	m.mu.Lock()
	if on {
		m.ignored[author] = struct{}{}
	} else {
		delete(m.ignored, author)
	}
	m.mu.Unlock()
	return m.saveIgnored()
}

// Ignored lists the ignored peers, ascending.
func (m *Messenger) Ignored() []peer.ID {
	m.mu.Lock()
	defer m.mu.Unlock()
	ids := make([]peer.ID, 0, len(m.ignored))
	for author := range m.ignored {
		ids = append(ids, wire.PeerID(author))
	}
	slices.Sort(ids)
	return ids
}

func (m *Messenger) ignores(author event.Author) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.ignored[author]
	return ok
}
