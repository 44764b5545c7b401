package main

import (
	"testing"
	"time"
)

// Who closes the window that runs the node is told, once, of those that end
// with it, however he ends.
func TestTheWindowThatRunsTheNodeSaysWhoEndsWithIt(t *testing.T) {
	for _, end := range []string{controlD, "/quit"} {
		d := daemonFor(t, t.TempDir(), "ada")
		first := sitIn(t, d.node.Dir(), d)
		first.sees("This window runs the node")
		first.sees("* nobody else")
		second := sit(t, d.node.Dir())
		second.sees("The node runs elsewhere")
		second.types("I watch")
		first.sees("I watch") // and so does the second: both are counted
		second.types("so do I")
		first.sees("so do I")
		for deadline := time.After(scriptWait); d.api.Watchers() < 2; {
			select {
			case <-time.After(10 * time.Millisecond):
			case <-deadline:
				t.Fatal("the second window does not watch")
			}
		}
		first.types(end)
		first.sees("others use it (1): they end with it.")
		first.types(end)
		if err := <-first.ended; err != nil {
			t.Errorf("quitting by %q: %v", end, err)
		}
		second.types(end) // whom nobody ends with is not asked
		if err := <-second.ended; err != nil {
			t.Errorf("quitting by %q: %v", end, err)
		}
	}
	// Alone he is not asked.
	d := daemonFor(t, t.TempDir(), "ada")
	p := sitIn(t, d.node.Dir(), d)
	p.sees("* nobody else")
	p.quits()
}

// A room that another command left is not written to any more.
func TestSessionLeavesWhatAnotherCommandLeft(t *testing.T) {
	d := daemonFor(t, t.TempDir(), "ada")
	p := sit(t, d.node.Dir())
	p.sees("* nobody else is in lobby yet\n")
	for _, c := range []struct{ leave, shows, prompt string }{
		{lobby, "* nobody else is in ops yet\n", "ops> "},
		{"ops", "You are in no room", "> "},
	} {
		if c.leave == lobby {
			if _, err := d.chat.Join(t.Context(), "ops"); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.chat.Leave(t.Context(), c.leave); err != nil {
			t.Fatal(err)
		}
		p.sees("* you left " + c.leave + "\n")
		p.sees(c.shows)
		p.mu.Lock()
		if p.prompt != c.prompt {
			t.Errorf("after leaving %s the prompt is %q, want %q", c.leave, p.prompt, c.prompt)
		}
		p.mu.Unlock()
	}
}

func TestNearestCommand(t *testing.T) {
	for typed, want := range map[string]string{
		"/histroy": "/history", "/qiut": "/quit", "/hist": "/history", "/exit": "/quit", "/foo": "", "/m": "", "/j": "", "/he": "/help", "/room": "/rooms",
	} {
		if got := nearest(typed); got != want {
			t.Errorf("%s: %q, want %q", typed, got, want)
		}
	}
}
