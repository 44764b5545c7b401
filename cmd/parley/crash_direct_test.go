//go:build unix

package main

import (
	"fmt"
	"slices"
	"time"

	v1 "github.com/parley-chat/parley/api/parley/v1"
)

// tell is a direct message that was sent, perhaps: id is empty if the call did
// not return.
type tell struct{ key, text, id string }

// killDirect kills a node while one of the two writes to the other. Whoever was
// not told whether a message is safe repeats the call with its key.
func (l *crashLab) killDirect(victim, other *crashNode) {
	from, to := victim, other
	if l.rng.IntN(2) == 0 {
		from, to = other, victim
	}
	first := len(from.tells)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 200 {
			t := tell{key: fmt.Sprint("key ", first+i), text: fmt.Sprintf("%d of %s", first+i, from.name)}
			t.id = from.tell(l, to.peer, t)
			from.tells = append(from.tells, t)
			if t.id == "" {
				return
			}
		}
	}()
	l.wait(200 * time.Millisecond)
	victim.kill()
	<-done // its calls fail, or all are made
	l.start(victim, other)
	for i := max(first-1, 0); i < len(from.tells); i++ {
		t := &from.tells[i]
		id := from.tell(l, to.peer, *t)
		if id == "" || t.id != "" && t.id != id {
			l.t.Fatalf("%q was %s, and is %q when the call is repeated", t.text, t.id, id)
		}
		t.id = id
	}
	victim.kill()
}

// tell sends a direct message and returns its id, "" when the node is killed.
func (c *crashNode) tell(l *crashLab, to string, t tell) string {
	res, err := c.client.SendMessage(l.t.Context(), &v1.SendMessageRequest{Direct: to, Text: t.text, IdempotencyKey: t.key})
	if err != nil {
		return ""
	}
	return res.GetId()
}

// sameDirect reports whether both have every direct message, once and in the
// order in which each was written.
func (l *crashLab) sameDirect() error {
	for _, c := range l.nodes {
		for _, author := range l.nodes {
			var got []string
			for _, m := range l.directs(c) {
				if m.GetAuthor() == author.peer {
					got = append(got, m.GetId())
				}
			}
			want := make([]string, 0, len(author.tells))
			for _, t := range author.tells {
				want = append(want, t.id)
			}
			if !slices.Equal(got, want) {
				return fmt.Errorf("%s has %d direct messages of %s, of %d", c.name, len(got), author.name, len(want))
			}
		}
	}
	return nil
}

func (l *crashLab) directs(c *crashNode) []*v1.Message {
	l.t.Helper()
	with := l.nodes[0].peer
	if c == l.nodes[0] {
		with = l.nodes[1].peer
	}
	return l.read(c, &v1.HistoryRequest{Direct: with})
}
