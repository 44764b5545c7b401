package main

import (
	"context"
	"time"

	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/cmd/parley/internal/show"
)

// toldUnread is how many direct chats are told of at the start.
const toldUnread = 5

// mostShown bounds what opening a direct chat shows at once.
const mostShown = 100

// sayUnread says which direct chats have messages that nobody was shown.
func (s *session) sayUnread(ctx context.Context) error {
	res, err := s.client.ListDirects(ctx, &v1.ListDirectsRequest{})
	if err != nil {
		return err
	}
	for _, d := range res.GetDirects() {
		if d.GetUnread() == 0 {
			continue
		}
		s.unseen[d.GetPeerId()] = true
		if len(s.unseen) > toldUnread {
			continue
		}
		s.called[d.GetPeerId()] = d.GetNick()
		s.say("* unread messages from %s: %s; /msg %s shows them",
			s.names.of(d.GetPeerId(), d.GetNick()), unread(d), s.callable(ctx, d.GetPeerId()))
	}
	if len(s.unseen) > toldUnread {
		s.say("* there are more: /rooms lists them")
	}
	return nil
}

// openDirect shows the newest messages of a direct chat: those that are unread,
// and some before them.
func (s *session) openDirect(ctx context.Context, peer string) error {
	talks, err := s.client.ListDirects(ctx, &v1.ListDirectsRequest{})
	if err != nil {
		return err
	}
	var all []*v1.Message
	if err := s.eachDirect(ctx, peer, mostShown, func(m *v1.Message) { all = append(all, m) }); err != nil {
		return err
	}
	if len(all) == 0 {
		s.say("* you and %s have not written to each other yet", show.Clean(peer))
		return nil
	}
	left := 0
	for _, d := range talks.GetDirects() {
		if d.GetPeerId() == all[0].GetDirect() {
			left = int(d.GetUnread())
		}
	}
	from := len(all)
	for from > 0 && (len(all)-from < recent || left > 0) {
		if from--; !all[from].GetSelf() {
			left--
		}
	}
	if left > 0 {
		s.say("* unread ones before these: %d; /history @%s N shows them", left, s.callable(ctx, all[0].GetDirect()))
	}
	now := time.Now()
	for _, m := range all[from:] {
		s.pastDirect(ctx, m, now)
	}
	return nil
}

// directHistory shows the newest messages of a direct chat; 0 is all.
func (s *session) directHistory(ctx context.Context, peer string, limit uint32) error {
	now := time.Now()
	return s.eachDirect(ctx, peer, limit, func(m *v1.Message) { s.pastDirect(ctx, m, now) })
}

// eachDirect calls do with the newest messages of a direct chat, oldest first.
func (s *session) eachDirect(ctx context.Context, peer string, limit uint32, do func(m *v1.Message)) error {
	stream, err := s.client.History(ctx, &v1.HistoryRequest{Direct: peer, Limit: limit})
	if err != nil {
		return err
	}
	defer stream.Close()
	for stream.Receive() {
		do(stream.Msg().GetMessage())
	}
	return stream.Err()
}

// pastDirect shows a message of the past, and how far an own one came. What came
// before it is no longer kept back from being told as read.
func (s *session) pastDirect(ctx context.Context, m *v1.Message, now time.Time) {
	delete(s.unseen, m.GetDirect())
	mark := ""
	if m.GetSelf() && m.GetDirect() != s.self {
		mark = " (" + s.app.stateName(m.GetState()) + ")"
	}
	s.directLine(ctx, m, now, mark)
}
