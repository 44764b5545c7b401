package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

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
		{"/msg", "PEER [TEXT]", "write to one peer alone, or to another room; without a text: what was said", (*session).cmdMsg},
		{"/members", "[ROOM]", "who is in a room", (*session).cmdMembers},
		{"/peers", "", "who this node is connected with", (*session).cmdPeers},
		{"/rooms", "", "the rooms and direct chats there are", (*session).cmdRooms},
		{"/status", "", "describe the running node", (*session).cmdStatus},
		{"/history", "[@PEER] [N]", "the newest messages of the room, or with a peer", (*session).cmdHistory},
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
		return s.sayHere(ctx, text[1:])
	case !strings.HasPrefix(text, "/"):
		return s.sayHere(ctx, line)
	}
	name, args, _ := strings.Cut(text, " ")
	name = strings.ToLower(name)
	for _, c := range commands {
		if c.name == name {
			return c.run(s, ctx, strings.TrimSpace(args))
		}
	}
	if near := nearest(name); near != "" {
		s.say("There is no command %s; did you mean %s? // begins a text with a slash.", show.Clean(name), near)
		return nil
	}
	s.say("There is no command %s: /help lists them; // begins a text with a slash.", show.Clean(name))
	return nil
}

// sayHere sends to the room in front, where the line shows as it was typed.
func (s *session) sayHere(ctx context.Context, text string) error {
	if s.room == "" {
		s.say("You are in no room: /join ROOM goes to one.")
		return nil
	}
	id, err := s.send(ctx, s.room, text)
	if err == nil {
		s.mine[id] = true
	}
	return err
}

func (s *session) send(ctx context.Context, room, text string) (id string, err error) {
	if !utf8.ValidString(text) {
		return "", errNotText
	}
	res, err := s.client.SendMessage(ctx, &v1.SendMessageRequest{Room: room, Text: text})
	if err != nil {
		return "", s.notIn(err, room)
	}
	s.waiting(room)
	return res.GetId(), nil
}

// notIn says how to come into a room.
func (s *session) notIn(err error, room string) error {
	return s.app.notIn(err, room, "join it with: %s", "join "+show.Clean(room))
}

// usedSo tells how a command of the chat is used.
func (s *session) usedSo(use string) error {
	s.say("It is used so: %s", use)
	return nil
}

func (s *session) cmdJoin(ctx context.Context, args string) error {
	if args == "" {
		return s.usedSo("/join ROOM")
	}
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
	room, err := s.roomOr(args)
	if room == "" || err != nil {
		return err
	}
	if _, err := s.app.leave(ctx, s.client, room); err != nil {
		return err
	}
	if err := s.refreshRooms(ctx); err != nil {
		return err
	}
	return s.left(ctx, room)
}

// left says that a room was left, and goes to another if it was in front.
func (s *session) left(ctx context.Context, room string) error {
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

// roomOr returns the room that a command names, or else the one in front. If
// there is neither it says so and returns an empty name.
func (s *session) roomOr(args string) (string, error) {
	if args != "" {
		return s.app.room(args)
	}
	if s.room == "" {
		s.say("You are in no room: /join ROOM goes to one.")
	}
	return s.room, nil
}

func (s *session) cmdMembers(ctx context.Context, args string) error {
	room, err := s.roomOr(args)
	if room == "" || err != nil {
		return err
	}
	res, err := s.client.ListMembers(ctx, &v1.ListMembersRequest{Room: room})
	if err != nil {
		return s.notIn(err, room)
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
	if err := s.app.printRooms(res.GetRooms()); err != nil {
		return err
	}
	talks, err := s.client.ListDirects(ctx, &v1.ListDirectsRequest{})
	if err != nil || len(talks.GetDirects()) == 0 {
		return err
	}
	fmt.Fprintln(s.screen)
	return s.app.printDirects(talks.GetDirects())
}

func (s *session) cmdStatus(ctx context.Context, _ string) error {
	st, err := s.client.Status(ctx, &v1.StatusRequest{})
	if err != nil {
		return err
	}
	return s.app.printStatus(st)
}

func (s *session) cmdHistory(ctx context.Context, args string) error {
	peer := ""
	if strings.HasPrefix(args, "@") {
		peer, args = cutPeer(args)
	}
	limit := uint64(2 * recent)
	if args = strings.TrimSpace(args); args != "" {
		n, err := strconv.ParseUint(args, 10, 32)
		if err != nil {
			return s.usedSo("/history [@PEER] [N]")
		}
		limit = n
	}
	if peer != "" {
		return s.directHistory(ctx, peer, uint32(limit))
	}
	room, err := s.roomOr("")
	if room == "" || err != nil {
		return err
	}
	return s.history(ctx, room, uint32(limit))
}

func (s *session) cmdHelp(context.Context, string) error {
	for _, c := range commands {
		use := strings.TrimSpace(c.name + " " + c.args)
		fmt.Fprintf(s.screen, "  %-19s  %s\n", use, s.app.text.T(c.help))
	}
	s.say("  Everything else is said in the room. The tab key completes.")
	return nil
}

func (s *session) cmdQuit(context.Context, string) error { return errQuit }
