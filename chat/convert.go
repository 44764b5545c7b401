package chat

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/wire"
)

func heldBy(n, of int) string { return fmt.Sprintf("held %d/%d", n, of) }

// message shows a stored event of the conversation.
func (c *conversation) message(e *eventlog.Entry) Message {
	ev, m := &e.Event, c.m
	msg := Message{
		ID: ev.ID, Log: ev.Log, Author: wire.PeerID(ev.Author),
		Time: ev.HLC.Time().UTC(), HLC: uint64(ev.HLC), Seq: ev.Seq,
		Kind: kindName(ev), Parents: slices.Clone(ev.Parents),
		Self: ev.Author == m.self, Erased: ev.Content == nil, Fork: e.Fork,
		Hidden: m.ignores(ev.Author), Cursor: e.Arrival,
	}
	slices.SortFunc(msg.Parents, ID.Compare)
	if msg.Kind == KindMessage {
		msg.fill(ev)
	}
	c.of.label(&msg, ev.Author)
	return msg
}

// fill reads the content. Content that cannot be read shows nothing.
func (msg *Message) fill(ev *event.Event) {
	if msg.Erased {
		return
	}
	content, err := event.DecodeMessage(ev.Payload())
	if err != nil {
		return
	}
	msg.Type = content.Type
	if content.Type == event.TypeText {
		msg.Text = string(content.Data)
		return
	}
	msg.Text, msg.Data = content.Fallback, content.Data
}

func kindName(ev *event.Event) string {
	switch {
	case ev.NeedsNewer():
		return KindUnknown
	case ev.Kind == event.KindMessage:
		return KindMessage
	case ev.Kind == event.KindProfile:
		return KindProfile
	default:
		return KindLeave
	}
}

// spoken reports whether an event is something said, or may be: membership
// events are told as such.
func spoken(ev *event.Event) bool {
	return ev.Kind == event.KindMessage || ev.NeedsNewer()
}

// encode returns the event payload of a content. Errors: ErrType, ErrText,
// ErrContent, ErrTooLong.
func (c Content) encode() ([]byte, error) {
	m := event.Message{Type: c.Type, Data: c.Data, Fallback: c.Fallback}
	if c.Type == TextType {
		m.Data, m.Fallback = []byte(c.Fallback), ""
	}
	if !event.ValidType(c.Type) {
		return nil, ErrType.Withf("%.80q cannot be the type of a message", c.Type)
	}
	if !utf8.ValidString(c.Fallback) {
		return nil, ErrText
	}
	if len(m.Data) == 0 && m.Fallback == "" {
		return nil, ErrContent
	}
	return encoded(m.Encode())
}
