package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/cmd/parley/internal/show"
)

// errQuit ends a session.
var errQuit = errors.New("quit")

// command is one of the chat's.
type command struct {
	name, args, help string
	run              func(s *session, ctx context.Context, args string) error
}

// commands in the order of /help. Filled at start: help lists it itself.
var commands []command

func init() {
	commands = []command{
		{"/join", "ROOM", "join a room and go to it", (*session).cmdJoin},
		{"/leave", "[ROOM]", "leave a room", (*session).cmdLeave},
		{"/msg", "ROOM TEXT", "write to another room", (*session).cmdMsg},
		{"/members", "[ROOM]", "who is in a room", (*session).cmdMembers},
		{"/peers", "", "who this node is connected with", (*session).cmdPeers},
		{"/rooms", "", "the rooms there are", (*session).cmdRooms},
		{"/history", "[N]", "the newest messages of the room", (*session).cmdHistory},
		{"/help", "", "this list", (*session).cmdHelp},
		{"/quit", "", "end the chat", (*session).cmdQuit},
	}
}

// typed deals with a line. It returns errQuit or nil: other errors are shown.
func (s *session) typed(ctx context.Context, line string) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	err := s.obey(ctx, line)
	if err != nil && !errors.Is(err, errQuit) {
		s.fail(err)
		return nil
	}
	return err
}

func (s *session) obey(ctx context.Context, line string) error {
	text := strings.TrimSpace(line)
	switch {
	case text == "":
		return nil
	case strings.HasPrefix(text, "//"): // text that begins with a slash
		return s.send(ctx, s.room, text[1:])
	case !strings.HasPrefix(text, "/"):
		return s.send(ctx, s.room, line)
	}
	name, args, _ := strings.Cut(text, " ")
	for _, c := range commands {
		if c.name == name {
			return c.run(s, ctx, strings.TrimSpace(args))
		}
	}
	s.say("There is no command %s: /help lists them; // begins a text with a slash.", show.Clean(name))
	return nil
}

func (s *session) send(ctx context.Context, room, text string) error {
	if room == "" {
		s.say("You are in no room: /join ROOM goes to one.")
		return nil
	}
	res, err := s.client.SendMessage(ctx, &v1.SendMessageRequest{Room: room, Text: text})
	if err != nil {
		return err
	}
	s.mine[res.GetId()] = true
	s.waiting(room)
	return nil
}

func (s *session) cmdJoin(ctx context.Context, args string) error {
	room, err := s.app.room(args)
	if err != nil {
		return err
	}
	if err := s.join(ctx, room); err != nil {
		return err
	}
	return s.enter(ctx, room)
}

func (s *session) cmdLeave(ctx context.Context, args string) error {
	if args == "" {
		args = s.room
	}
	room, err := s.app.room(args)
	if err != nil {
		return err
	}
	if _, err := s.client.LeaveRoom(ctx, &v1.LeaveRoomRequest{Room: room}); err != nil {
		return err
	}
	if err := s.refreshRooms(ctx); err != nil {
		return err
	}
	s.say("* you left %s", show.Clean(room))
	if !s.here(room) {
		return nil
	}
	if joined := s.joinedNames(); len(joined) > 0 {
		return s.enter(ctx, joined[0])
	}
	s.room = ""
	s.screen.SetPrompt("> ")
	s.say("You are in no room: /join ROOM goes to one.")
	return nil
}

func (s *session) cmdMsg(ctx context.Context, args string) error {
	to, text, _ := strings.Cut(args, " ")
	room, err := s.app.room(to)
	if err != nil {
		return err
	}
	if strings.TrimSpace(text) == "" {
		s.say("It is used so: %s", "/msg ROOM TEXT")
		return nil
	}
	return s.send(ctx, room, text)
}

func (s *session) cmdMembers(ctx context.Context, args string) error {
	if args == "" {
		args = s.room
	}
	room, err := s.app.room(args)
	if err != nil {
		return err
	}
	res, err := s.client.ListMembers(ctx, &v1.ListMembersRequest{Room: room})
	if err != nil {
		return err
	}
	return s.app.printMembers(res.GetMembers())
}

func (s *session) cmdPeers(ctx context.Context, _ string) error {
	res, err := s.client.ListPeers(ctx, &v1.ListPeersRequest{})
	if err != nil {
		return err
	}
	return s.app.printPeers(res.GetPeers())
}

func (s *session) cmdRooms(ctx context.Context, _ string) error {
	res, err := s.client.ListRooms(ctx, &v1.ListRoomsRequest{All: true})
	if err != nil {
		return err
	}
	return s.app.printRooms(res.GetRooms())
}

func (s *session) cmdHistory(ctx context.Context, args string) error {
	limit := uint64(2 * recent)
	if args != "" {
		n, err := strconv.ParseUint(args, 10, 32)
		if err != nil {
			s.say("It is used so: %s", "/history N")
			return nil
		}
		limit = n
	}
	if s.room == "" {
		s.say("You are in no room: /join ROOM goes to one.")
		return nil
	}
	return s.history(ctx, s.room, uint32(limit))
}

func (s *session) cmdHelp(context.Context, string) error {
	for _, c := range commands {
		use := strings.TrimSpace(c.name + " " + c.args)
		fmt.Fprintf(s.screen, "  %-16s  %s\n", use, s.app.text.T(c.help))
	}
	s.say("  Everything else is said in the room. The tab key completes.")
	return nil
}

func (s *session) cmdQuit(context.Context, string) error { return errQuit }
