package main

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/chat"
)

// What was told while no chat was open waits: its number is told at the start,
// and /msg shows it, once.
func TestUnreadMessagesWait(t *testing.T) {
	a := daemonFor(t, t.TempDir(), "ada")
	b := daemonFor(t, t.TempDir(), "小明", a.addrs()...)
	toBob := a.chat.Direct(b.node.ID())
	var sent []chat.ID
	for i := range 12 {
		id, err := toBob.Send(t.Context(), chat.Text("news "+strconv.Itoa(i)))
		if err != nil {
			t.Fatal(err)
		}
		sent = append(sent, id)
	}
	waitForAll(t, b, sent)
	ming := sit(t, b.node.Dir())
	ming.sees("* unread messages from ada: 12; /msg ada shows them\n")
	ming.types("/rooms")
	ming.sees("ada   …")
	ming.sees("  12  ")
	// One more shows as it comes; that must not pass for having seen the others.
	if _, err := toBob.Send(t.Context(), chat.Text("news 12")); err != nil {
		t.Fatal(err)
	}
	ming.sees("alone: news 12\n")
	ming.types("/rooms")
	ming.sees("ada   …")
	ming.sees("  13  ")
	ming.types("/msg ada")
	for i := range 13 {
		ming.sees("  [@] ada to you alone: news " + strconv.Itoa(i) + "\n")
	}
	ming.types("/msg ada thanks")
	ming.sees("you to ada alone: thanks\n")
	waitFor(t, "the answer is delivered", func() bool {
		infos, err := b.chat.Directs(t.Context())
		return err == nil && infos[0].State == chat.StateDelivered
	})
	ming.types("/msg ada")
	ming.sees("alone: news 4\n") // ten are shown
	ming.sees("alone: thanks (delivered)\n")
	ming.quits()
	again := sit(t, b.node.Dir())
	again.sees("* nobody else is in lobby yet\n")
	again.quits()
	again.mu.Lock()
	defer again.mu.Unlock()
	if strings.Contains(again.screen.String(), "unread") {
		t.Errorf("what was shown is unread:\n%s", again.screen.String())
	}
}

// More than a screenful is not poured out: the newest are shown, and how to see
// the rest.
func TestManyUnreadMessages(t *testing.T) {
	d := daemonFor(t, t.TempDir(), "ada")
	b := daemonFor(t, t.TempDir(), "bob", d.addrs()...)
	toBob, sent := d.chat.Direct(b.node.ID()), []chat.ID(nil)
	contents := make([]chat.Content, mostShown+20)
	for i := range contents {
		contents[i] = chat.Text("news " + strconv.Itoa(i))
	}
	for id, err := range toBob.SendAll(t.Context(), slices.Values(contents)) {
		if err != nil {
			t.Fatal(err)
		}
		sent = append(sent, id)
	}
	waitForAll(t, b, sent)
	bob := sit(t, b.node.Dir())
	bob.sees("* unread messages from ada: 120; /msg ada shows them\n")
	bob.types("/msg ada")
	bob.sees("* unread ones before these: 20; /history @ada N shows them\n")
	bob.sees("alone: news 20\n")
	bob.sees("alone: news 119\n")
	bob.quits()
}

// waitForAll waits until a node has all of these, which may come in any order:
// some of it was said before the two met.
func waitForAll(t *testing.T, d *daemon, ids []chat.ID) {
	t.Helper()
	waitFor(t, "all of it arrives", func() bool {
		return !slices.ContainsFunc(ids, func(id chat.ID) bool {
			_, err := d.chat.Get(t.Context(), id)
			return err != nil
		})
	})
}

func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(scriptWait)
	for !holds() {
		select {
		case <-deadline:
			t.Fatal(what + ": did not come")
		case <-time.After(20 * time.Millisecond):
		}
	}
}
