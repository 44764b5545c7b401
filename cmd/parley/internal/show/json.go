// Package show turns what the API answers into what the commands print: JSON
// lines for programs, whose keys the contract fixes, and text for people, in
// which nothing that others wrote can act on the terminal.
package show

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/internal/event"
)

// JSON writes v as one line. Characters that some terminals obey are escaped,
// which programs do not see.
func JSON(w io.Writer, v any) error {
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(escapeControls(line.Bytes()))
	return err
}

// escapeControls writes DEL and the C1 controls as \u00xx.
func escapeControls(line []byte) []byte {
	if !bytes.ContainsFunc(line, isC1) {
		return line
	}
	var out bytes.Buffer
	for _, r := range string(line) {
		if isC1(r) {
			fmt.Fprintf(&out, `\u%04x`, r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.Bytes()
}

func isC1(r rune) bool { return r >= 0x7f && r <= 0x9f }

// Message is the JSON form of a message.
type Message struct {
	ID      string   `json:"id"`
	Log     string   `json:"log"`
	Room    string   `json:"room,omitempty"`
	Direct  string   `json:"direct,omitempty"`
	Author  string   `json:"author"`
	Nick    *string  `json:"nick,omitempty"`
	Time    string   `json:"time"`
	HLC     uint64   `json:"hlc,string"`
	Seq     uint64   `json:"seq,string"`
	Kind    string   `json:"kind"`
	Type    string   `json:"type"`
	Text    string   `json:"text"`
	Parents []string `json:"parents"`
	State   string   `json:"state,omitempty"`
	Fork    bool     `json:"fork,omitempty"` // which of two is marked depends on what came first
	Cursor  string   `json:"cursor,omitempty"`
}

// MessageOf returns the JSON form of m, without a cursor.
func MessageOf(m *v1.Message) Message {
	nick := m.GetNick()
	out := Message{
		ID: m.GetId(), Log: m.GetLog(), Room: m.GetRoom(), Direct: m.GetDirect(),
		Author: m.GetAuthor(), Nick: &nick,
		Time: Time(TimeOf(m)), HLC: m.GetHlc(), Seq: m.GetSeq(),
		Kind: m.GetKind(), Type: m.GetType(), Text: m.GetText(),
		Parents: m.GetParents(), State: m.GetState(), Fork: m.GetFork(),
	}
	if out.Parents == nil {
		out.Parents = []string{}
	}
	return out
}

// CanonicalOf returns the form that is the same on every node in sync.
func CanonicalOf(m *v1.Message) Message {
	out := MessageOf(m)
	out.Direct, out.Nick, out.State, out.Fork = "", nil, "", false
	if key, err := event.RoomKey(out.Room); err == nil {
		out.Room = key
	}
	return out
}

// TimeOf returns the author's claimed time, which the hlc holds.
func TimeOf(m *v1.Message) time.Time { return time.UnixMilli(int64(m.GetHlc() >> 16)).UTC() }

// Time is RFC 3339 in UTC with milliseconds.
func Time(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
