package main

import (
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/cmd/parley/internal/text"
	"github.com/parley-chat/parley/node"
)

// What a node lacks to be taken for a member is said in time, and nothing while all
// is well.
func TestLack(t *testing.T) {
	own, one, other := t.TempDir(), identityIn(t), identityIn(t)
	if _, err := node.CreateNetwork(own, "Ministry", node.ModeCertified); err != nil {
		t.Fatal(err)
	}
	f, err := node.AddRegistrar(own, one)
	if err != nil {
		t.Fatal(err)
	}
	joiner := *f
	joiner.Record = nil // has not heard of any registrar
	from := time.Date(2025, 11, 1, 0, 0, 0, 0, time.UTC)
	ticket := node.TicketInfo{Registrar: one, From: from, Renew: from.AddDate(0, 0, 10), To: from.AddDate(0, 0, 30)}
	foreign := ticket
	foreign.Registrar = other
	day := func(n int) time.Time { return from.AddDate(0, 0, n) }
	for name, test := range map[string]struct {
		standing standing
		now      time.Time
		want     string // a part of it; empty: nothing is said
	}{
		"another network":      {standing{}, day(0), ""},
		"none":                 {standing{file: f}, day(0), "has no ticket, so nobody"},
		"fresh":                {standing{f, ticket, true}, day(0), ""},
		"to be renewed":        {standing{f, ticket, true}, day(20), ""},
		"ends soon":            {standing{f, ticket, true}, day(23), "ends " + minute(day(30)) + " and was not renewed"},
		"ended":                {standing{f, ticket, true}, day(30), "ended " + minute(day(30))},
		"of none any more":     {standing{f, foreign, true}, day(0), "Register with another"},
		"registrars unknown":   {standing{&joiner, foreign, true}, day(0), ""},
		"unknown, none at all": {standing{file: &joiner}, day(0), "has no ticket, so nobody"},
	} {
		a := &app{text: &text.Printer{}, dir: own, getenv: func(string) string { return "" }}
		got := a.lack(test.standing, test.now)
		if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q in it", name, got, test.want)
		}
		if got != "" && !strings.Contains(got, "parley register --registrar ADDR ") {
			t.Errorf("%s: %q does not say what to do", name, got)
		}
	}
}

func identityIn(t *testing.T) peer.ID {
	t.Helper()
	id, err := node.OpenIdentity(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return id.ID()
}
