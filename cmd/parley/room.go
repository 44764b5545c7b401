package main

import (
	"strings"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/internal/event"
)

// room checks the argument that names a room. A peer, "@…", is refused until
// direct chats exist.
func (a *app) room(arg string) (string, error) {
	if strings.HasPrefix(arg, "@") {
		return "", errDirect
	}
	if _, err := event.RoomKey(arg); err != nil {
		return "", chat.ErrRoomName.Withf("%q is not a room name", arg)
	}
	return arg, nil
}
