package chat

import (
	"context"
	"time"

	"github.com/parley-chat/parley/internal/delivery"
	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/eventlog"
)

// conversation is what a room and a direct chat have in common: a log that is
// read and written.
type conversation struct {
	m   *Messenger
	log event.LogID
	of  talk
}

// talk is what differs between a room and a direct chat.
type talk interface {
	// open reports as an error why nothing can be written.
	open() error
	// writer returns the replication that drafts are submitted to.
	writer() (*delivery.Log, error)
	// signal tells those who listen elsewhere; listen has their signals heard.
	signal(ctx context.Context, typ string, data []byte) error
	listen() (stop func(), err error)
	// label completes a message: where it was said, the nick, the state.
	label(msg *Message, author event.Author)
	// title names it within an error.
	title() string
	// settled is until when, by the wall clock, everything is where it has to
	// be, here and elsewhere; the zero time if that is not known.
	settled(now time.Time) (time.Time, error)
	// keeps reports whether an event stays whatever its age.
	keeps(e *eventlog.Entry) bool
	// retained is told from which second on the log is kept now.
	retained(ctx context.Context, floor uint64) error
}

// Log returns the id of the log.
func (c *conversation) Log() LogID { return c.log }

// conversationOf returns what a log is to this node, nil if it is nothing.
func (m *Messenger) conversationOf(log event.LogID) *conversation {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.byLog[log]
}
