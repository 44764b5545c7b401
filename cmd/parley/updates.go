package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/cmd/parley/internal/show"
)

// update shows what happened. It reports whether somebody went, after which
// the session may be alone.
func (s *session) update(ctx context.Context, u *v1.WatchResponse) (gone bool) {
	switch u := u.GetUpdate().(type) {
	case *v1.WatchResponse_Message:
		s.arrived(ctx, u.Message)
	case *v1.WatchResponse_Member:
		s.memberChanged(ctx, u.Member)
	case *v1.WatchResponse_Peer:
		s.names.seen(u.Peer.GetPeerId(), u.Peer.GetNick())
		s.called[u.Peer.GetPeerId()] = u.Peer.GetNick()
		if u.Peer.GetOnline() {
			s.told = false
		}
		return !u.Peer.GetOnline()
	case *v1.WatchResponse_Rooms, *v1.WatchResponse_Lagged, *v1.WatchResponse_Started: // another may have left one meanwhile
		if err := s.roomsChanged(ctx); err != nil {
			s.fail(err)
		}
	}
	return false
}

// roomsChanged leaves the rooms that another command left.
func (s *session) roomsChanged(ctx context.Context) error {
	before := s.joinedNames()
	if err := s.refreshRooms(ctx); err != nil {
		return err
	}
	for _, room := range before {
		if !slices.Contains(s.joinedNames(), room) {
			if err := s.left(ctx, room); err != nil {
				return err
			}
		}
	}
	return nil
}

// arrived shows a message, unless it was typed here: then its line is on the
// screen.
func (s *session) arrived(ctx context.Context, m *v1.Message) {
	if s.mine[m.GetId()] {
		delete(s.mine, m.GetId())
		return
	}
	if m.GetDirect() != "" {
		s.showDirect(ctx, m, time.Now())
		return
	}
	if now := time.Now(); !s.past.hold(m, now) {
		s.showMessage(m, now)
	}
}

func (s *session) showMessage(m *v1.Message, now time.Time) {
	line := show.WhenOf(m, now) + "  "
	if !s.here(m.GetRoom()) && s.room != "" {
		line += "[" + show.Clean(m.GetRoom()) + "] "
	}
	fmt.Fprintln(s.screen, line+s.app.line(m, s.names.of(m.GetAuthor(), m.GetNick())))
}

// memberChanged says what is new about a member of a room.
func (s *session) memberChanged(ctx context.Context, c *v1.MemberChanged) {
	m := c.GetMember()
	key := roomKey(c.GetRoom())
	people := s.people[key]
	if people == nil { // who has been in it all along does not join now
		if err := s.meet(ctx, c.GetRoom()); err != nil {
			s.people[key] = map[string]*v1.Member{}
		}
		return
	}
	before := people[m.GetPeerId()]
	if c.GetLeft() {
		delete(people, m.GetPeerId())
	} else if before != nil || m.GetOnline() { // who is only heard of joins when they come
		people[m.GetPeerId()] = m
	}
	if m.GetPeerId() == s.self {
		s.names.seen(s.self, m.GetNick())
		return
	}
	if text := s.whatChanged(before, c); text != "" && s.worthTelling(before, c) {
		if !s.here(c.GetRoom()) {
			text = "[" + show.Clean(c.GetRoom()) + "] " + text
		}
		fmt.Fprintln(s.screen, "* "+text)
	}
}

// worthTelling leaves out of other rooms what is told in the one in front:
// that somebody in both came, went or has another name.
func (s *session) worthTelling(before *v1.Member, c *v1.MemberChanged) bool {
	if s.here(c.GetRoom()) || before == nil || c.GetLeft() {
		return true
	}
	_, inFront := s.people[roomKey(s.room)][c.GetMember().GetPeerId()]
	return !inFront
}

func (s *session) whatChanged(before *v1.Member, c *v1.MemberChanged) string {
	t, m := s.app.text.T, c.GetMember()
	name := s.names.of(m.GetPeerId(), m.GetNick())
	switch {
	case c.GetLeft():
		return t("%s left", name)
	case before == nil && m.GetOnline():
		return t("%s joined", name)
	case before == nil:
		return ""
	case before.GetNick() != m.GetNick():
		return t("%s is called %s now", s.names.of(m.GetPeerId(), before.GetNick()), name)
	case m.GetOnline() && !before.GetOnline():
		return t("%s is back", name)
	case !m.GetOnline() && before.GetOnline():
		return t("%s is away", name)
	default:
		return ""
	}
}

// explainSilence says why nobody is found, once until somebody was.
func (s *session) explainSilence(ctx context.Context) {
	if s.told {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	st, err := s.client.Status(ctx, &v1.StatusRequest{})
	if err != nil || st.GetPeers() > 0 {
		return
	}
	s.told = true
	s.say("* no peer is connected; this is what is tried:")
	for _, text := range s.app.search(st.GetDiscovery()) {
		fmt.Fprintln(s.screen, "    "+show.Clean(text))
	}
	s.say("  On the other machine, start parley in the same network. Without multicast, start it with:")
	fmt.Fprintln(s.screen, "    "+peerHint(st))
}

// peerHint is the flag by which another machine reaches this node.
func peerHint(st *v1.StatusResponse) string {
	if addrs := toOthers(st.GetAddrs()); len(addrs) > 0 {
		return "--peer " + quote(addrs[0])
	}
	return "--peer MULTIADDR"
}

// waiting says, once, that a message is kept until somebody comes.
func (s *session) waiting(room string) {
	for id, m := range s.people[roomKey(room)] {
		if id != s.self && m.GetOnline() {
			return
		}
	}
	if !s.waited {
		s.waited = true
		s.say("* nobody else is here: what you write is kept and reaches them when they come")
	}
}
