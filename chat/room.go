package chat

import (
	"context"
	"iter"

	"github.com/parley-chat/parley/internal/event"
)

// Room is a public room, joined now or once. It stays valid until the
// Messenger is closed.
type Room struct{}

// Name returns the name as it was joined first.
func (r *Room) Name() string

// Log returns the id of the room's log.
func (r *Room) Log() event.LogID

// Joined reports whether the room is joined now.
func (r *Room) Joined() bool

// Send writes a message. When it returns without error the event is safe on
// disk; whether others hold it is told by Updates. It waits while 2,048
// messages of the room are under way. Errors: ErrNotJoined, ErrTooLong,
// ErrContent, ErrClosed, store errors such as a full disk, ctx's.
func (r *Room) Send(ctx context.Context, c Content) (ID, error)

// SendAll sends contents with many under way (2,048) and yields their ids in
// the order of contents, each when it is safe on disk. One that cannot be sent
// yields its error, the others go on. contents is ranged over by a goroutine
// of SendAll's, which is waited for when the loop is left: it must return when
// ctx is done.
func (r *Room) SendAll(ctx context.Context, contents iter.Seq[Content]) iter.Seq2[ID, error]

// History yields stored messages, oldest first. An error ends it. Unknown
// q.Before or q.After: ErrNoMessage.
func (r *Room) History(ctx context.Context, q Query) iter.Seq2[Message, error]

// Members lists who is in the room: those whose membership events say so and
// those whose presence says so, oneself too, by nick.
func (r *Room) Members(ctx context.Context) ([]Member, error)
