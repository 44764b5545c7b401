package chat_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node/nodetest"
)

// Who knows the type has the data, who does not has a text, in a room and
// alone, live and from the store.
func TestContentOfAnotherApplicationShowsItsFallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 2, nodetest.Config{})
		r := p.join(0, "lobby")
		p.join(1, "lobby")
		reading := chat.Custom("com.example.reading", []byte{0, 0xff, 215}, "21.5 °C")
		if _, err := r.Send(t.Context(), reading); err != nil {
			t.Fatal(err)
		}
		if _, err := p.direct(0, 1).Send(t.Context(), reading); err != nil {
			t.Fatal(err)
		}
		p.waitTexts(time.Minute, 1, "lobby", "21.5 °C")
		p.waitTold(time.Minute, 1, 0, "21.5 °C")
		p.Restart(1)
		for _, msg := range append(p.history(1, "lobby", chat.Query{}), p.told(1, 0)...) {
			if msg.Type != reading.Type || string(msg.Data) != string(reading.Data) || msg.Text != reading.Fallback || msg.Kind != chat.KindMessage {
				t.Errorf("%+v", msg)
			}
		}
		for name, c := range map[string]chat.Content{
			"nothing":         chat.Custom("com.example.reading", nil, ""),
			"no type":         chat.Custom("", []byte("x"), "x"),
			"type too long":   chat.Custom(string(make([]byte, 65)), []byte("x"), "x"),
			"no UTF-8":        chat.Custom("x", nil, "\xff"),
			"text, no UTF-8":  chat.Text("\xff"),
			"a type of words": chat.Custom("two words", nil, "x"),
		} {
			if _, err := r.Send(t.Context(), c); !errors.Is(err, chat.ErrContent) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := r.Send(t.Context(), chat.Custom("x", make([]byte, 64<<10), "")); !errors.Is(err, chat.ErrTooLong) {
			t.Errorf("too long: %v", err)
		}
	})
}
