package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/cmd/parley/internal/show"
	"github.com/parley-chat/parley/node"
)

// open greets the person and goes to a room: one asked for, else the lobby,
// which is joined at the first start, else any joined one.
func (s *session) open(ctx context.Context, join []string) error {
	st, err := s.client.Status(ctx, &v1.StatusRequest{})
	if err != nil {
		return err
	}
	s.self, s.cursor = st.GetPeerId(), st.GetCursor()
	s.names.seen(st.GetPeerId(), st.GetNick())
	s.greet(st)
	if err := s.refreshRooms(ctx); err != nil {
		return err
	}
	for _, room := range join {
		if err := s.join(ctx, room); err != nil {
			return err
		}
	}
	if err := s.firstRoom(ctx, join); err != nil {
		return err
	}
	return s.sayUnread(ctx)
}

func (s *session) greet(st *v1.StatusResponse) {
	s.say("Parley: you are %s (%s) in the network %s", show.Clean(st.GetNick()), show.ShortID(st.GetPeerId()), s.networkWord(st))
	if st.GetMode() == node.ModeOpen.String() {
		s.say("This network is open: anyone on the LAN who uses its name can read and write here.")
		s.say("For a closed one:")
		for _, command := range closedHint(s.app.program(), st.GetDir()) {
			fmt.Fprintln(s.screen, "    "+command)
		}
	}
	if lack := s.app.lack(standingOf(s.app.dir), time.Now()); lack != "" {
		s.say("note: %s", lack)
	}
	if st.GetClockWrong() {
		s.say("note: %s", s.app.clockWarning(st))
	}
	if s.own != nil {
		s.say("This window runs the node: parley in other windows uses it, and ends with it.")
	} else {
		s.say("The node runs elsewhere, in another window or by parley run, and this window uses it.")
	}
	s.say("/help lists the commands; control-D quits.")
}

func (s *session) networkWord(st *v1.StatusResponse) string {
	return show.Clean(s.app.networkName(st.GetNetwork()))
}

// closedHint are the commands that make a closed network beside the directory
// in use and open a chat in it, each short enough for a line of its own.
func closedHint(program, dir string) []string {
	fresh := quote(filepath.Join(filepath.Dir(dir), "parley-private"))
	return []string{program + " network new private --dir " + fresh, program + " --dir " + fresh}
}

// firstRoom goes to the room of the session's start.
func (s *session) firstRoom(ctx context.Context, join []string) error {
	if len(join) > 0 {
		return s.enter(ctx, join[0])
	}
	joined := s.joinedNames()
	for _, room := range joined {
		if roomKey(room) == lobby {
			return s.enter(ctx, room)
		}
	}
	if len(joined) > 0 {
		return s.enter(ctx, joined[0])
	}
	if _, err := s.client.ListMembers(ctx, &v1.ListMembersRequest{Room: lobby}); !errors.Is(err, chat.ErrNoRoom) {
		s.say("You are in no room: /join ROOM goes to one.")
		return err // left on purpose: not joined again
	}
	if err := s.join(ctx, lobby); err != nil {
		return err
	}
	return s.enter(ctx, lobby)
}

// join joins a room without going to it.
func (s *session) join(ctx context.Context, room string) error {
	if _, err := s.client.JoinRoom(ctx, &v1.JoinRoomRequest{Room: room}); err != nil {
		return err
	}
	return s.refreshRooms(ctx)
}

// enter goes to a joined room and shows who is there and what was said last.
func (s *session) enter(ctx context.Context, room string) error {
	if err := s.meet(ctx, room); err != nil {
		return err
	}
	s.goTo(room)
	if err := s.history(ctx, room, recent); err != nil {
		return err
	}
	s.sayWhoIsHere(room)
	return nil
}

// meet learns who is in a room.
func (s *session) meet(ctx context.Context, room string) error {
	res, err := s.client.ListMembers(ctx, &v1.ListMembersRequest{Room: room})
	if err != nil {
		return err
	}
	people := map[string]*v1.Member{}
	for _, m := range res.GetMembers() {
		people[m.GetPeerId()] = m
		s.names.seen(m.GetPeerId(), m.GetNick())
	}
	s.people[roomKey(room)] = people
	return nil
}

func (s *session) sayWhoIsHere(room string) {
	var online []string
	for id, m := range s.people[roomKey(room)] {
		if m.GetOnline() && id != s.self {
			online = append(online, s.names.of(id, m.GetNick()))
		}
	}
	switch {
	case len(online) > 0:
	case len(s.people[roomKey(room)]) > 1: // oneself and others
		s.say("* nobody else of %s is here now", show.Clean(room))
		return
	default:
		s.say("* nobody else is in %s yet", show.Clean(room))
		return
	}
	sortNames(online)
	s.say("* in %s: %s", show.Clean(room), strings.Join(online, ", "))
}

// history shows the newest messages of a room. While the session opens it
// leaves out those after cursor, which come as updates.
func (s *session) history(ctx context.Context, room string, limit uint32) error {
	stream, err := s.client.History(ctx, &v1.HistoryRequest{Room: room, Limit: limit})
	if err != nil {
		return err
	}
	defer stream.Close()
	now := time.Now()
	for stream.Receive() {
		if m := stream.Msg().GetMessage(); s.live || m.GetCursor() <= s.cursor {
			s.showMessage(m, now)
		}
	}
	return stream.Err()
}
