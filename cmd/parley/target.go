package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/api/client"
)

// target is where something is said: a room, or the chat with a peer. One of
// the two is empty.
type target struct {
	room   string
	direct string // a peer, in any of the ways to name one
}

// target reads an argument: @PEER, or else a room.
func (a *app) target(arg string) (target, error) {
	name, direct := strings.CutPrefix(arg, "@")
	switch {
	case !direct:
		room, err := a.room(arg)
		return target{room: room}, err
	case strings.TrimSpace(name) == "":
		return target{}, a.badValue("@PEER", arg, "")
	default:
		return target{direct: name}, nil
	}
}

// inTarget runs f with what an argument names and the running node's API.
func (a *app) inTarget(cmd *cobra.Command, arg string, f func(context.Context, *client.Client, target) error) error {
	to, err := a.target(arg)
	if err != nil {
		return err
	}
	if to.room != "" {
		return a.inRoom(cmd, arg, func(ctx context.Context, c *client.Client, _ string) error { return f(ctx, c, to) })
	}
	return a.withNode(cmd, func(ctx context.Context, c *client.Client) error { return f(ctx, c, to) })
}
