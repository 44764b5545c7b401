package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/cmd/parley/internal/show"
)

// cmdMsg writes to a joined room, if its argument begins with the name of one,
// or else to a peer. Without a text it shows what was said with the peer.
func (s *session) cmdMsg(ctx context.Context, args string) error {
	if room, text := s.cutRoom(args); room != "" {
		if s.bears(ctx, room) { // what was meant for one must not be heard by all
			s.say("* %s is a room and a person: /msg @%s TEXT writes to the person, /join %s leads to the room", room, room, room)
			return nil
		}
		return s.msgRoom(ctx, room, text)
	}
	peer, text := cutPeer(args)
	switch {
	case peer == "":
		return s.usedSo("/msg PEER TEXT")
	case strings.TrimSpace(text) == "":
		return s.openDirect(ctx, peer)
	default:
		return s.msgPeer(ctx, peer, text)
	}
}

// bears reports whether somebody is called as a room is.
func (s *session) bears(ctx context.Context, room string) bool {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return slices.ContainsFunc(met(ctx, s.client), func(p *v1.Peer) bool {
		return p.GetPeerId() != s.self && nickKey(p.GetNick()) == nickKey(room)
	})
}

func (s *session) msgRoom(ctx context.Context, room, text string) error {
	if strings.TrimSpace(text) == "" {
		return s.usedSo("/msg ROOM TEXT")
	}
	id, err := s.send(ctx, room, text)
	if err == nil && s.here(room) {
		s.mine[id] = true // elsewhere it is shown, with its room, as it arrives
	}
	return err
}

// cutRoom splits off the name of a joined room, which may have spaces; the
// name is empty if there is none.
func (s *session) cutRoom(args string) (room, text string) {
	for _, name := range s.joinedNames() {
		if rest, ok := strings.CutPrefix(args+" ", name+" "); ok && len(name) > len(room) {
			room, text = name, strings.TrimSuffix(rest, " ")
		}
	}
	return room, text
}

// cutPeer splits off who text is for: a word, or a nick in quotation marks,
// with or without @.
func cutPeer(args string) (peer, text string) {
	args = strings.TrimPrefix(args, "@")
	if rest, ok := strings.CutPrefix(args, `"`); ok {
		if peer, text, ok := strings.Cut(rest, `"`); ok {
			return peer, strings.TrimSpace(text)
		}
	}
	peer, text, _ = strings.Cut(args, " ")
	return peer, text
}

// msgPeer writes to one peer; the line shows as it arrives.
func (s *session) msgPeer(ctx context.Context, peer, text string) error {
	if !utf8.ValidString(text) {
		return errNotText
	}
	_, err := s.client.SendMessage(ctx, &v1.SendMessageRequest{Direct: peer, Text: text})
	return err
}

// showDirect shows a message between two that arrives, and says once how to
// answer, or that who it is for is away.
func (s *session) showDirect(ctx context.Context, m *v1.Message, now time.Time) {
	other := s.directLine(ctx, m, now, "")
	if m.GetSelf() {
		s.sayIfAway(ctx, m.GetDirect(), other)
		return
	}
	if !s.answered[m.GetDirect()] {
		s.answered[m.GetDirect()] = true
		s.say("* nobody else sees it; answer with: /msg %s TEXT", s.callable(ctx, m.GetDirect()))
	}
}

// directLine shows a message between two, apart from what is said in rooms, and
// tells its author that it was shown, unless earlier ones were not: that would
// tell it of them as well. It returns what the other is called.
func (s *session) directLine(ctx context.Context, m *v1.Message, now time.Time, mark string) (other string) {
	t := s.app.text.T
	other = s.names.of(m.GetDirect(), s.nickOf(ctx, m))
	line := s.app.line(m, "")
	_, said, _ := strings.Cut(line, ": ")
	way := t("%s to you alone", other)
	if m.GetSelf() {
		way = t("you to %s alone", other)
	}
	fmt.Fprintf(s.screen, "%s  [@] %s: %s%s\n", show.WhenOf(m, now), way, said, mark)
	if !s.unseen[m.GetDirect()] {
		s.shown.message(m)
	}
	return other
}

// nickOf is the nick of the other side of a direct chat, the last one heard if
// it is away.
func (s *session) nickOf(ctx context.Context, m *v1.Message) string {
	if !m.GetSelf() || m.GetDirect() == m.GetAuthor() {
		s.called[m.GetDirect()] = m.GetNick()
		return m.GetNick()
	}
	if nick := s.called[m.GetDirect()]; nick != "" {
		return nick
	}
	for _, p := range s.peers(ctx) {
		if p.GetPeerId() == m.GetDirect() {
			return p.GetNick()
		}
	}
	return show.ShortID(m.GetDirect())
}

// callable is how to name a peer in /msg.
func (s *session) callable(ctx context.Context, peerID string) string {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	met := met(ctx, s.client)
	for i, name := range peerNames(met) {
		if met[i].GetPeerId() == peerID {
			return name
		}
	}
	return ending(peerID)
}

// metNames are what peers are called, for completion; any goroutine may ask.
func (s *session) metNames() []string {
	ctx, cancel := context.WithTimeout(context.Background(), completionTime)
	defer cancel()
	return peerNames(met(ctx, s.client))
}

// peers are the connected ones; none if the node does not tell.
func (s *session) peers(ctx context.Context) []*v1.Peer {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	res, _ := s.client.ListPeers(ctx, &v1.ListPeersRequest{})
	return res.GetPeers()
}

// sayIfAway says, once for each peer, that what is written to it is kept.
func (s *session) sayIfAway(ctx context.Context, peerID, name string) {
	if peerID == s.self || s.away[peerID] {
		return
	}
	for _, p := range s.peers(ctx) {
		if p.GetPeerId() == peerID {
			return
		}
	}
	s.away[peerID] = true
	s.say("* %s is not here: what you write is kept and reaches them when they come", name)
}
