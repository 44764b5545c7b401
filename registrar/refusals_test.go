package registrar

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/parley-chat/parley/internal/audit"
	"github.com/parley-chat/parley/internal/fault"
	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/node"
)

// turnAway has somebody at an address refused, and returns what he is told to do.
func (m *ministry) turnAway(addr netip.Addr, reason string) string {
	m.t.Helper()
	a := applicant{caller: caller{addr: addr, multiaddr: "/ip4/" + addr.String() + "/tcp/9"}, peer: m.node.ID()}
	err := m.Registrar.refused(m.t.Context(), a, &refusal{reason, errors.New(strings.Repeat("long ", 1000))})
	f, ok := fault.As(err)
	if !ok || f.Code != errRefused.Code {
		m.t.Fatal(err)
	}
	return f.Do
}

// A flood of refusals does not fill the disk: from one address or many, what is
// beyond the rate is told of in one record, which says how many, why and where from;
// an honest caller elsewhere has a record of its own, and who has none is told so.
//
// spec: 12-audit M11
func TestRefusalsBeyondARateAreCounted(t *testing.T) {
	m := newMinistry(t)
	begin, size := time.Now(), m.audit.Size()
	guesser := netip.MustParseAddr("192.0.2.66")
	for range 500 {
		m.turnAway(guesser, "code_wrong")
	}
	if do := m.turnAway(guesser, "code_wrong"); !strings.Contains(do, "only counts") {
		t.Errorf("who was counted is told %q", do)
	}
	if do := m.turnAway(netip.MustParseAddr("198.51.100.7"), "expired"); !strings.Contains(do, fmt.Sprintf("record %d ", m.audit.Size()-1)) {
		t.Errorf("who was not is told %q", do)
	}
	if rec := m.last(); rec.Reason != "expired" || len(rec.Detail) > maxRefusalDetail {
		t.Errorf("%+v", rec)
	}
	slack := int64(time.Since(begin)/time.Second) + 2
	own := m.audit.Size() - size
	if own < 51 || own > 51+slack {
		t.Errorf("%d records of 502 refusals", own)
	}
	for i := range 4000 { // from as many networks
		m.turnAway(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1}), "nonce")
	}
	slack = int64(time.Since(begin)/time.Second) + 2
	if all := m.audit.Size() - size; all < 500 || all > 500+slack {
		t.Errorf("%d records of 4,502 refusals", all)
	}
	told := m.audit.Size() - size
	m.writeTally()
	if err := m.record(t.Context(), audit.Record{Op: audit.OpAdmin, Reason: "test"}); err != nil { // behind it
		t.Fatal(err)
	}
	rec := m.recordAt(m.audit.Size() - 2)
	for _, want := range []string{fmt.Sprintf("%d more since ", 4502-told), "nonce ", "code_wrong ", "from 192.0.2.0/24 "} {
		if rec.Op != audit.OpRefuse || rec.Reason != reasonMore || !strings.Contains(rec.Detail, want) {
			t.Errorf("without %q: %+v", want, rec)
		}
	}
	if _, more := m.refusals.take(); more {
		t.Error("it is told of again")
	}
}

// What was counted when the registrar ends is told before.
func TestWhatWasCountedIsToldAtTheEnd(t *testing.T) {
	m := newMinistry(t)
	for range 60 {
		m.turnAway(netip.MustParseAddr("192.0.2.66"), "code_wrong")
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if rec := m.last(); rec.Reason != reasonMore || !strings.Contains(rec.Detail, "code_wrong ") {
		t.Errorf("%+v", rec)
	}
}

// Whom hello refuses is in the audit log, with why and from where; a flood of them
// is counted.
//
// spec: 12-audit M11
func TestWhomHelloRefusesIsRecorded(t *testing.T) {
	m := newMinistry(t)
	h, err := libp2p.New(libp2p.NoListenAddrs)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if err := h.Connect(t.Context(), peer.AddrInfo{ID: m.node.ID(), Addrs: m.node.Addrs()}); err != nil {
		t.Fatal(err)
	}
	hello := protocol.ID("/parley/" + m.node.Network().Tag + "/hello/1.0.0")
	str, err := h.NewStream(network.WithNoDial(t.Context(), "test"), m.node.ID(), hello)
	if err != nil {
		t.Fatal(err)
	}
	if err := wire.WriteFrame(str, []byte("let me in")); err != nil {
		t.Fatal(err)
	}
	m.awaits(func(rec audit.Record) bool {
		return rec.Op == audit.OpRefuse && rec.Reason == "hello_form" && rec.Actor == h.ID().String() && strings.HasPrefix(rec.Addr, "/ip4/127.0.0.1/")
	})
	if n := bytes.Count(m.auditText(), []byte(h.ID().String())); n != 1 {
		t.Errorf("%d records of one refusal", n)
	}
	for range 1000 {
		m.noteRefusal(node.Refusal{ID: h.ID(), Reason: "ticket", Missed: 3})
	}
	m.writeTally()
	rec := m.awaits(func(rec audit.Record) bool { return rec.Reason == reasonMore })
	if !strings.Contains(rec.Detail, "hello 3000, hello_ticket 9") {
		t.Errorf("%+v", rec)
	}
	if all := m.audit.Size(); all > 200 {
		t.Errorf("%d records", all)
	}
}

// awaits returns a record that is in the audit log, or comes.
func (m *ministry) awaits(wanted func(audit.Record) bool) audit.Record {
	m.t.Helper()
	for i := int64(0); ; i++ {
		for deadline := time.Now().Add(20 * time.Second); i >= m.audit.Size(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				m.t.Fatal("no such record")
			}
		}
		if rec := m.recordAt(i); wanted(rec) {
			return rec
		}
	}
}
