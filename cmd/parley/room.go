package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/api/client"
	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/cmd/parley/internal/text"
	"github.com/parley-chat/parley/internal/event"
)

// room checks the argument that names a room.
func (a *app) room(arg string) (string, error) {
	if strings.HasPrefix(arg, "@") {
		return "", a.said(chat.ErrRoomName, a.text.T("%q is a peer, not a room", arg), a.text.T("name a room"))
	}
	if _, err := event.RoomKey(arg); err != nil {
		return "", chat.ErrRoomName.Withf("%q is not a room name", arg)
	}
	return arg, nil
}

// roomCommand is a command whose one argument is a room.
func (a *app) roomCommand(name, short string, fits func(*v1.Room) bool, f inRoomFunc) *cobra.Command {
	return a.command(&cobra.Command{
		Use:               name + " ROOM",
		Short:             short,
		Args:              a.args(1, 1),
		ValidArgsFunction: a.completeRooms(fits),
		RunE:              func(cmd *cobra.Command, args []string) error { return a.inRoom(cmd, args[0], f) },
	})
}

type inRoomFunc = func(ctx context.Context, c *client.Client, room string) error

// inRoom runs f with the room that an argument names and the running node's
// API.
func (a *app) inRoom(cmd *cobra.Command, arg string, f inRoomFunc) error {
	room, err := a.room(arg)
	if err != nil {
		return err
	}
	return a.withNode(cmd, func(ctx context.Context, c *client.Client) error {
		return a.notIn(f(ctx, c, room), room, "join it with: %s", "join "+quote(room))
	})
}

// notIn says of a room one is not in what to type now; other errors pass.
func (a *app) notIn(err error, room, do, command string) error {
	switch {
	case errors.As(err, &text.Said{}): // said already
		return err
	case errors.Is(err, chat.ErrNotJoined):
		return a.said(chat.ErrNotJoined, a.text.T("you are not in the room %q", room), a.text.T(do, a.typed(command)))
	case errors.Is(err, chat.ErrNoRoom):
		return a.said(chat.ErrNoRoom, a.text.T("this node was never in the room %q", room), a.text.T(do, a.typed(command)))
	default:
		return err
	}
}

// typed is a command as it is typed where the person is: in a shell, for this
// very directory, or in the chat.
func (a *app) typed(command string) string {
	if a.inChat {
		return "/" + command
	}
	return a.shell(" " + command)
}
