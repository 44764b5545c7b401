package event

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
)

// singles serves each event of a batch alone and decodes it.
func singles(t *testing.T, b *Batch) []*Batch {
	t.Helper()
	tree := b.Tree()
	out := make([]*Batch, len(b.Events))
	for i := range b.Events {
		p := Alone(b.Events[i].Raw, b.Events[i].Content, tree.Proof(i))
		want, err := b.Single(i)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(p, want) {
			t.Fatalf("event %d of %d: the tree proves it differently", i, len(b.Events))
		}
		out[i] = decoded(t, p)
	}
	return out
}

func TestEventsServedAloneAreJoinedAgain(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5, 7, 8, 100, 255, MaxBatchEvents} {
		b := sealed(t, texts(n, 10))
		alone := singles(t, b)
		rand.Shuffle(n, func(i, j int) { alone[i], alone[j] = alone[j], alone[i] })
		whole, err := Join(alone)
		if err != nil {
			t.Fatalf("%d events: %v", n, err)
		}
		if !bytes.Equal(whole.Payload(), b.Payload()) || whole.Verify() != nil {
			t.Errorf("%d events: joined they are not the batch they came from", n)
		}
		if n == 1 {
			continue
		}
		if _, err := Join(alone[1:]); err == nil {
			t.Errorf("%d events: joined without one of them", n)
		}
		twice := append(alone[1:n:n], alone[1])
		if _, err := Join(twice); err == nil {
			t.Errorf("%d events: joined with one twice", n)
		}
	}
}

// spec: 08-export M7
func TestAnEventIsWrittenAgainFromItsParts(t *testing.T) {
	for _, n := range []int{1, 2, 100} {
		for i, s := range singles(t, sealed(t, texts(n, 10))) {
			p, ok := s.Proof()
			if !ok {
				t.Fatal("an event alone has a proof")
			}
			e := &s.Events[0]
			if got := Alone(e.Raw, e.Content, p); !bytes.Equal(got, s.Payload()) {
				t.Fatalf("event %d of %d is not the same", i, n)
			}
			erased := decoded(t, Alone(e.Raw, nil, p))
			if erased.Events[0].Content != nil || erased.Events[0].ID != e.ID {
				t.Fatal("erased it is not the same event")
			}
		}
	}
}

// What parts do not fit together must not be written as something that does.
//
// spec: 08-export M7
func TestPartsThatDoNotFitAreRefused(t *testing.T) {
	one := singles(t, sealed(t, texts(1, 10)))[0]
	of3 := singles(t, sealed(t, texts(3, 10)))[1]
	p1, _ := one.Proof()
	p3, _ := of3.Proof()
	for name, p := range map[string]Proof{
		"path of one signed by itself":  {p1.Signature, 1, 0, p3.Path},
		"index of one signed by itself": {p1.Signature, 1, 1, nil},
		"count without path":            {p3.Signature, 3, 1, nil},
		"index past the count":          {p3.Signature, 3, 3, p3.Path},
		"count of too many":             {p3.Signature, 257, 1, p3.Path},
		"no count":                      {p3.Signature, 0, 1, p3.Path},
		"negative":                      {p3.Signature, -3, -1, p3.Path},
		"short signature":               {p3.Signature[:63], 3, 1, p3.Path},
	} {
		e := &of3.Events[0]
		if _, err := Decode(Alone(e.Raw, e.Content, p)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestVerifierChecksWhatItRemembers(t *testing.T) {
	var v Verifier
	alone := singles(t, sealed(t, texts(8, 10)))
	for _, s := range alone {
		if err := v.Verify(s); err != nil {
			t.Fatal(err)
		}
	}
	if v.next != 1 {
		t.Errorf("8 events of a batch cost %d checks", v.next)
	}
	// The signature held before; with another path it proves nothing.
	for _, change := range []func(p *Proof){
		func(p *Proof) { p.Path = bytes.Clone(p.Path); p.Path[40] ^= 1 },
		func(p *Proof) { p.Index ^= 1 },
		func(p *Proof) { p.Signature = bytes.Clone(p.Signature); p.Signature[5] ^= 1 },
	} {
		p, _ := alone[3].Proof()
		change(&p)
		b, err := Decode(Alone(alone[3].Events[0].Raw, alone[3].Events[0].Content, p))
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Verify(b); !errors.Is(err, ErrSignature) {
			t.Errorf("a changed proof gives %v", err)
		}
	}
	for i := range 200 {
		d := texts(1, 10)
		d[0].HLC += HLC(i)
		if err := v.Verify(sealed(t, d)); err != nil {
			t.Fatal(err)
		}
	}
	if len(v.held) > len(v.ring) {
		t.Errorf("%d claims are remembered", len(v.held))
	}
}
