package chat_test

import (
	"errors"
	"strings"
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
		const allowed = ": use 1 to 64 printable ASCII characters without spaces (P4015)"
		const otherBytes = ": write it in UTF-8, and give other bytes as data (P4016)"
		long := strings.Repeat("x", 65)
		for want, c := range map[string]chat.Content{
			"the message has no content: give it text or data (P4008)": chat.Custom("com.example.reading", nil, ""),
			`"" cannot be the type of a message` + allowed:             chat.Custom("", []byte("x"), "x"),
			`"` + long + `" cannot be the type of a message` + allowed: chat.Custom(long, []byte("x"), "x"),
			`"two words" cannot be the type of a message` + allowed:    chat.Custom("two words", nil, "x"),
			"the text is not UTF-8" + otherBytes:                       chat.Custom("x", nil, "\xff"),
		} {
			if _, err := r.Send(t.Context(), c); err == nil || err.Error() != want {
				t.Errorf("%v, want %s", err, want)
			}
		}
		if _, err := r.Send(t.Context(), chat.Text("\xff")); !errors.Is(err, chat.ErrText) {
			t.Errorf("text: %v", err)
		}
		if _, err := r.Send(t.Context(), chat.Custom("x", make([]byte, 64<<10), "")); !errors.Is(err, chat.ErrTooLong) {
			t.Errorf("too long: %v", err)
		}
	})
}
