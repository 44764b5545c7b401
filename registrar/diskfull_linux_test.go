package registrar

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/internal/audit"
	"github.com/parley-chat/parley/internal/certs"
	"github.com/parley-chat/parley/internal/disk/disktest"
	"github.com/parley-chat/parley/internal/fault"
	"github.com/parley-chat/parley/node"
	"github.com/parley-chat/parley/registrar/client"
)

// While the registrar's disk is full it admits nobody and says that it cannot; members
// stay in the directory and talk. When there is room again who was refused comes in with
// the same code, and nothing was admitted that stands in neither log.
func TestAFullDiskAdmitsNobody(t *testing.T) {
	small := disktest.Mount(t, 128)
	m := newMinistryIn(t, filepath.Join(small.Dir, "node"), func(c *node.Config) { c.Light = true })
	one, other := m.member(), m.member()
	said := talk(t, one, other)
	said("before")
	reporting := m.registered()
	waiting := []client.Applicant{
		m.coded(), m.coded(), m.certified(m.ca, certs.P256, -time.Hour, time.Hour, ""), m.registered(),
	}
	waiting[3].Code = ""
	events := m.registryEnd()

	small.Use(110 << 20) // too little for the store, enough for the audit log
	m.cannot(waiting[0])
	small.Fill()
	for n := 0; m.record(t.Context(), audit.Record{Op: audit.OpAdmin, Reason: "test"}) == nil; n++ { // in the page that was begun
		if n == 1000 {
			t.Fatal("the disk is not full")
		}
	}
	for _, a := range waiting {
		m.cannot(a)
	}
	wrong := m.newcomer()
	wrong.Code = "EHRZ-BW17-3PK8-42G3-9SFQ-7M46-2468"
	m.cannot(wrong) // a refusal is recorded, or not told
	for i := range 20 {
		m.noteRefusal(node.Refusal{ID: wrong.Peer, Reason: fmt.Sprint("test", i)}) // nobody waits for these records
	}
	if got := m.registryEnd(); got != events {
		t.Errorf("the registry has %d events more", got-events)
	}
	for seq := range uint64(3) {
		if res, err := m.overTLS().Heartbeat(t.Context(), m.beat(reporting, seq+1), nil); err != nil || res.TicketWanted {
			t.Errorf("a heartbeat: %+v, %v", res, err)
		}
	}
	said("meanwhile")

	small.Resize(512)
	for i, a := range waiting {
		m.admits(a, []string{"code", "code", "certificate", "ticket"}[i])
	}
	if got := m.registryEnd(); got != events+uint64(len(waiting)) {
		t.Errorf("%d events for %d registrations", got-events, len(waiting))
	}
	thief := m.newcomer()
	thief.Code = waiting[0].Code
	m.refuses(thief, "code_used")
	m.awaits(func(rec audit.Record) bool { return rec.Reason == "hello_test19" })
	said("after")
}

// cannot checks that a registration is refused as what the registrar cannot do.
func (m *ministry) cannot(a client.Applicant) {
	m.t.Helper()
	_, err := m.overTLS().Register(m.t.Context(), a)
	if f, ok := fault.As(err); !ok || f.Code != errUnable.Code {
		m.t.Errorf("on a full disk: %v", err)
	}
	_, err = (&service{m.Registrar}).RegisterNode(m.t.Context(), m.application(a))
	if connect.CodeOf(err) != connect.CodeUnavailable {
		m.t.Errorf("on a full disk: %v", err)
	}
}

func (m *ministry) coded() client.Applicant {
	a := m.newcomer()
	a.Code = m.code()
	return a
}

// registryEnd is how many events this registrar has written.
func (m *ministry) registryEnd() uint64 {
	m.t.Helper()
	seq, _, err := m.chat.Registry().End(m.node.ID())
	if err != nil {
		m.t.Fatal(err)
	}
	return seq
}

// talk has two nodes meet in a room; said has the first say something, and waits until
// the second has it.
func talk(t *testing.T, from, to *node.Node) (said func(string)) {
	t.Helper()
	first, err := openChat(t, from).Join(t.Context(), "lobby")
	if err != nil {
		t.Fatal(err)
	}
	second := openChat(t, to)
	if _, err := second.Join(t.Context(), "lobby"); err != nil {
		t.Fatal(err)
	}
	return func(text string) {
		t.Helper()
		if _, err := first.Send(t.Context(), chat.Text(text)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		for u := range second.Updates(ctx, 0) {
			if added, ok := u.(chat.MessageAdded); ok && added.Message.Text == text {
				return
			}
		}
		t.Fatalf("%q does not arrive", text)
	}
}
