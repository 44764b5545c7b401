package registry

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/ticket"
)

func registration(n byte, zone string, short ticket.Short) Registration {
	return Registration{Peer: event.Author{n}, Zone: zone, Short: short, NotAfter: time.Unix(int64(n)*1000, 0), How: "code x"}
}

func revocation(n byte, ends ...End) Revocation {
	return Revocation{Peer: event.Author{n}, Reason: "laptop lost", Ends: ends}
}

// sealed is an event with this payload, as the store gives it.
func sealed(t testing.TB, kind event.Kind, author byte, hlc event.HLC, payload []byte, err error) event.Event {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	e := event.Event{Content: append(make([]byte, event.SaltSize), payload...)}
	e.Version, e.Kind, e.Author, e.HLC = event.Version, kind, event.Author{author}, hlc
	e.ID = event.ID{byte(hlc), author, byte(kind)}
	return e
}

// spec: 11-registrars M45
func TestPayloadsHaveOneForm(t *testing.T) {
	r := registration(3, "rack 4", ticket.Short{1, 2})
	v := revocation(4, End{event.LogID{1}, Place{7, event.ID{9}}}, End{event.LogID{2}, Place{1, event.ID{8}}})
	rb, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	vb, err := v.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeRegistration(rb); err != nil || got != r {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := DecodeRevocation(vb); err != nil || got.Peer != v.Peer || got.Reason != v.Reason || !slices.Equal(got.Ends, v.Ends) {
		t.Errorf("%+v, %v", got, err)
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "cut short": vb[:len(vb)-1], "a field twice": append(slices.Clone(vb), vb...),
		"ends that fall": flipped(t, v),
	} {
		if _, err := DecodeRevocation(b); !errors.Is(err, ErrForm) {
			t.Errorf("%s: %v", name, err)
		}
	}
	later := append(slices.Clone(vb), 0x22, 1, 'x') // field 4
	if got, err := DecodeRevocation(later); err != nil || got.Peer != v.Peer {
		t.Errorf("with a later field: %v", err)
	}
}

func flipped(t *testing.T, v Revocation) []byte {
	t.Helper()
	v.Ends = slices.Clone(v.Ends)
	slices.Reverse(v.Ends)
	if _, err := v.Encode(); !errors.Is(err, ErrForm) {
		t.Errorf("encodes ends that fall: %v", err)
	}
	return v.encode()
}

func TestPayloadsAreBounded(t *testing.T) {
	for name, v := range map[string]Revocation{
		"long reason": {Reason: strings.Repeat("x", MaxReason+1)},
		"an escape":   {Reason: "\x1b[2J"},
		"many ends":   {Reason: "x", Ends: make([]End, MaxEnds+1)},
	} {
		if _, err := v.Encode(); !errors.Is(err, ErrForm) {
			t.Errorf("%s: %v", name, err)
		}
	}
	full := Revocation{Reason: strings.Repeat("x", MaxReason)}
	for i := range MaxEnds {
		full.Ends = append(full.Ends, End{Log: event.LogID{byte(i >> 8), byte(i)}, Place: Place{Seq: 1}})
	}
	if b, err := full.Encode(); err != nil || len(b) > event.MaxContent-event.SaltSize {
		t.Errorf("the largest has %d bytes (%v)", len(b), err)
	}
}

// The view is a function of the set of events, not of the order in which they came.
func TestTheOrderOfEventsIsNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var events []event.Event
		for i := range rapid.IntRange(1, 12).Draw(rt, "n") {
			peer, hlc := rapid.ByteRange(1, 4).Draw(rt, "peer"), event.HLC(i+1)
			if rapid.Bool().Draw(rt, "revoke") {
				v := revocation(peer)
				b, err := v.Encode()
				events = append(events, sealed(t, KindRevocation, 200, hlc, b, err))
				continue
			}
			r := registration(peer, "z", ticket.Short{rapid.ByteRange(0, 2).Draw(rt, "short")})
			b, err := r.Encode()
			events = append(events, sealed(t, KindRegistration, 200, hlc, b, err))
		}
		one, other := NewView(), NewView()
		for i := range events {
			one.Apply(&events[i])
		}
		for _, i := range rapid.Permutation(append(indices(events), indices(events)...)).Draw(rt, "order") {
			other.Apply(&events[i])
		}
		free := func(ticket.Short) bool { return false }
		for p := byte(1); p <= 4; p++ {
			a := event.Author{p}
			r1, _ := one.Registration(a)
			r2, _ := other.Registration(a)
			if r1 != r2 || len(one.Revoked(a)) != len(other.Revoked(a)) || one.Newest() != other.Newest() {
				rt.Fatalf("peer %d: %+v and %+v", p, r1, r2)
			}
			if one.Short(a, a[:], "z", free) != other.Short(a, a[:], "z", free) {
				rt.Fatalf("peer %d has two short addresses", p)
			}
		}
	})
}

func indices(events []event.Event) (out []int) {
	for i := range events {
		out = append(out, i)
	}
	return out
}

// Two nodes of a zone never keep one short address.
//
// spec: 11-registrars M46
func TestShortAddressesAreUnique(t *testing.T) {
	v := NewView()
	first := func(n byte) ticket.Short {
		a := event.Author{n}
		return v.Short(a, a[:], "z", func(ticket.Short) bool { return false })
	}
	clash := first(2)
	for hlc, n := range []byte{1, 2} { // as two registrars would that had not heard of each other
		r := registration(n, "z", clash)
		b, err := r.Encode()
		e := sealed(t, KindRegistration, 200, event.HLC(hlc+1), b, err)
		v.Apply(&e)
	}
	if first(1) != clash {
		t.Error("the lower key has to move")
	}
	if first(2) == clash {
		t.Error("two nodes keep one address")
	}
	if got := first(2); !bytes.Equal(got[:4], clash[:4]) {
		t.Error("it is of another zone")
	}
	a := event.Author{9}
	free := v.Short(a, a[:], "z", func(ticket.Short) bool { return false })
	if v.Short(a, a[:], "z", func(s ticket.Short) bool { return s == free }) == free {
		t.Error("an address that is taken is given")
	}
}

// FuzzPayloads holds that what is decoded encodes to what came, or to its
// beginning where later fields follow.
func FuzzPayloads(f *testing.F) {
	r, v := registration(3, "z", ticket.Short{1}), revocation(4, End{Log: event.LogID{1}})
	f.Add(r.encode())
	f.Add(v.encode())
	f.Add((&Record{Signed: []byte("x")}).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := DecodeRegistration(b); err == nil && !bytes.HasPrefix(b, r.encode()) {
			t.Error("a registration in another form")
		}
		if r, err := DecodeRevocation(b); err == nil && !bytes.HasPrefix(b, r.encode()) {
			t.Error("a revocation in another form")
		}
		if r, err := DecodeRecord(b); err == nil && !bytes.HasPrefix(b, r.Encode()) {
			t.Error("a record in another form")
		}
	})
}
