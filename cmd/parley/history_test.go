package main

import (
	"testing"

	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/cmd/parley/internal/text"
)

// What cannot be shown is said: an empty line would look like silence.
func TestLinesInWords(t *testing.T) {
	a := &app{text: text.New(func(string) string { return "" })}
	cases := []struct {
		m    *v1.Message
		want string
	}{
		{&v1.Message{Kind: "message", Type: "text", Text: "hi"}, "ada: hi"},
		{&v1.Message{Kind: "message"}, "ada: (unreadable)"},
		{&v1.Message{Kind: "message", Erased: true}, "ada: (erased)"},
		{&v1.Message{Kind: "unknown"}, "ada: (needs a newer Parley)"},
		{&v1.Message{Kind: "profile"}, "* ada is here"},
		{&v1.Message{Kind: "leave", Fork: true}, "* ada left (one of two with the same number: a restored backup)"},
	}
	for _, c := range cases {
		if got := a.line(c.m, "ada"); got != c.want {
			t.Errorf("%v is %q, want %q", c.m, got, c.want)
		}
	}
}
