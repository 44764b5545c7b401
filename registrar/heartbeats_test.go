package registrar

import (
	"errors"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/audit"
	"github.com/parley-chat/parley/internal/fault"
	"github.com/parley-chat/parley/internal/heartbeat"
	"github.com/parley-chat/parley/internal/ticket"
	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/registrar/client"
	"github.com/parley-chat/parley/registrar/internal/directory"
)

// beat is a signed heartbeat of a, the seq-th, after so much of its changes.
func (m *ministry) beat(a client.Applicant, seq uint64, change ...func(*heartbeat.Heartbeat)) []byte {
	m.t.Helper()
	key, err := wire.Author(a.Peer)
	if err != nil {
		m.t.Fatal(err)
	}
	h := heartbeat.Heartbeat{
		Author: key, Time: time.Now().UnixMilli(), Seq: seq, Interval: heartbeat.MinInterval, Zone: a.Zone, Version: "v9", Load: 7,
	}
	for _, f := range change {
		f(&h)
	}
	return h.Encode(a.Network, a.Sign)
}

// known is what the directory has of a.
func (m *ministry) known(a client.Applicant) (n directory.Node) {
	for _, n := range m.directory.Nodes() {
		if n.ID == a.Peer {
			return n
		}
	}
	return n
}

// registered is a newcomer that has a ticket.
func (m *ministry) registered() client.Applicant {
	m.t.Helper()
	a := m.newcomer()
	a.Code = m.code()
	a.Ticket = mustRegister(m.t, m, a).Ticket
	return a
}

// Who has just registered needs to show no ticket again; who is not remembered does,
// once.
//
// spec: 11-registrars M17
func TestAMemberIsInTheDirectory(t *testing.T) {
	m := newMinistry(t)
	a, c := m.registered(), m.overTLS()
	res, err := c.Heartbeat(t.Context(), m.beat(a, 1), nil)
	if err != nil || res.TicketWanted || res.Overloaded || res.Interval != heartbeat.MinInterval {
		t.Fatalf("%+v, %v", res, err)
	}
	n := m.known(a)
	if n.State != directory.Online || n.Zone != a.Zone || n.Version != "v9" || n.Load != 7 || n.Registrar != m.node.ID() || n.IsRegistrar {
		t.Errorf("known as %+v", n)
	}
	m.members.known.Purge()
	if res, err := c.Heartbeat(t.Context(), m.beat(a, 2), nil); err != nil || !res.TicketWanted {
		t.Errorf("without a ticket that is known: %+v, %v", res, err)
	}
	for _, signed := range [][]byte{a.Ticket, nil} {
		if res, err := c.Heartbeat(t.Context(), m.beat(a, 3+uint64(len(signed))), signed); len(signed) > 0 && (err != nil || res.TicketWanted) {
			t.Errorf("with it: %+v, %v", res, err)
		}
	}
	if res, err := c.Heartbeat(t.Context(), m.beat(a, 1000, func(h *heartbeat.Heartbeat) { h.Goodbye = true }), nil); err != nil || res.TicketWanted {
		t.Errorf("after it was shown: %+v, %v", res, err)
	}
	if n := m.known(a); n.State != directory.Offline {
		t.Errorf("after a goodbye: %+v", n)
	}
}

// spec: 11-registrars M15, M17, M18
func TestHeartbeatsThatDoNotCount(t *testing.T) {
	m := newMinistry(t)
	a, c := m.registered(), m.overTLS()
	if _, err := c.Heartbeat(t.Context(), m.beat(a, 10), nil); err != nil {
		t.Fatal(err)
	}
	foreign := a
	foreign.Network[0] ^= 1
	for name, v := range map[string]struct {
		signed []byte
		want   *fault.Error
	}{
		"again":                  {m.beat(a, 10), errOldBeat},
		"an older one":           {m.beat(a, 9), errOldBeat},
		"no heartbeat":           {[]byte("x"), errHeartbeat},
		"of three hours ago":     {m.beat(a, 11, func(h *heartbeat.Heartbeat) { h.Time -= 3 * 3600_000 }), errClock},
		"of in three hours":      {m.beat(a, 11, func(h *heartbeat.Heartbeat) { h.Time += 3 * 3600_000 }), errClock},
		"for another network":    {m.beat(foreign, 11), errRefused},
		"in another peer's name": {m.beat(m.registered(), 11, func(h *heartbeat.Heartbeat) { h.Author, _ = wire.Author(a.Peer) }), errRefused},
	} {
		if _, err := c.Heartbeat(t.Context(), v.signed, nil); !errors.Is(err, v.want) {
			t.Errorf("%s: %v", name, err)
		}
		if n := m.known(a); n.State != directory.Online || n.Version != "v9" {
			t.Errorf("%s: known as %+v", name, n)
		}
	}
	// An hour is what clocks may differ by.
	for _, ms := range []int64{-3600_000, 3600_000} {
		if _, err := c.Heartbeat(t.Context(), m.beat(a, uint64(10_000_000+ms), func(h *heartbeat.Heartbeat) { h.Time += ms }), nil); err != nil {
			t.Errorf("%d ms off: %v", ms, err)
		}
	}
}

// What a ticket does not hold for is refused, and the audit log has the reason.
//
// spec: 11-registrars M17
func TestHeartbeatsWithBadTickets(t *testing.T) {
	m := newMinistry(t)
	other := newMinistry(t)
	a, stranger := m.registered(), m.newcomer()
	m.members.known.Purge()
	foreign := other.registered()
	key, _ := wire.Author(a.Peer)
	make := func(change func(*ticket.Ticket), sign func([]byte) []byte) []byte {
		now := time.Now().Truncate(time.Second)
		tk := ticket.Ticket{Network: a.Network, Peer: key, Issuer: m.key, Role: 1, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
		change(&tk)
		signed, err := tk.Sign(sign)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	for name, signed := range map[string][]byte{
		"another peer's":    mustRegister(t, m, m.registered()).Ticket,
		"another network's": foreign.Ticket,
		"expired":           make(func(tk *ticket.Ticket) { tk.NotBefore, tk.NotAfter = tk.NotBefore.Add(-9*time.Hour), tk.NotBefore }, m.node.Sign),
		"not yet":           make(func(tk *ticket.Ticket) { tk.NotBefore = tk.NotAfter.Add(-time.Minute) }, m.node.Sign),
		"of no registrar":   make(func(tk *ticket.Ticket) { tk.Issuer, _ = wire.Author(stranger.Peer) }, stranger.Sign),
		"forged":            make(func(*ticket.Ticket) {}, stranger.Sign),
		"none":              []byte("x"),
	} {
		_, err := m.overTLS().Heartbeat(t.Context(), m.beat(a, 1), signed)
		if !errors.Is(err, errRefused) {
			t.Errorf("%s: %v", name, err)
		}
		if rec := m.last(); rec.Op != audit.OpRefuse || rec.Actor != a.Peer.String() || rec.Reason != "ticket" {
			t.Errorf("%s: recorded %+v", name, rec)
		}
		if n := m.known(a); n.ID != "" {
			t.Errorf("%s: known as %+v", name, n)
		}
		m.guard.Succeeded(time.Now(), m.attempt(caller{addr: mustAddr("127.0.0.1")}, a.Peer)) // or it is locked out, as it should be
	}
	if _, err := m.overTLS().Heartbeat(t.Context(), m.beat(a, 1), a.Ticket); err != nil {
		t.Error(err)
	}
}

// A member's heartbeats come from a budget of its own, whatever strangers at its
// address do, and are more than it needs.
//
// spec: 11-registrars M10
func TestHeartbeatsHaveABudgetOfTheirOwn(t *testing.T) {
	m := newMinistry(t)
	a, b := m.registered(), m.registered()
	here := caller{addr: mustAddr("127.0.0.1")}
	for range 100 { // strangers at the same address are locked out
		m.guard.Failed(time.Now(), m.attempt(here, a.Peer))
	}
	c := m.overTLS()
	var err error
	sent := uint64(0)
	for ; err == nil && sent < 1000; sent++ {
		_, err = c.Heartbeat(t.Context(), m.beat(a, sent+1), nil)
	}
	if f, ok := fault.As(err); !ok || f.Code != "P6060" || sent < 100 {
		t.Errorf("after %d: %v", sent, err)
	}
	if _, err := c.Heartbeat(t.Context(), m.beat(b, 1), nil); err != nil {
		t.Errorf("another one: %v", err)
	}
}
