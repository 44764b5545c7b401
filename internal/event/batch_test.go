package event

import (
	"bytes"
	"crypto/ed25519"
	"testing"
)

func TestSealedBatchDecodesAndVerifies(t *testing.T) {
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	sign := func(m []byte) []byte { return ed25519.Sign(key, m) }
	b, err := Seal(LogID{1}, Author(key.Public().(ed25519.PublicKey)), 0, ID{},
		[]Draft{{HLC: 1, Kind: 1, Payload: []byte("a")}, {HLC: 2, Kind: 1}}, sign)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Verify(); err != nil {
		t.Fatal(err)
	}
	b.WantAck()
	d, err := Decode(bytes.Clone(b.Payload()))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Verify(); err != nil {
		t.Fatal(err)
	}
	for i := range d.Events {
		p, err := d.Single(i)
		if err != nil {
			t.Fatal(err)
		}
		one, err := Decode(p)
		if err != nil {
			t.Fatal(err)
		}
		if err := one.Verify(); err != nil || one.Events[0].ID != b.Events[i].ID {
			t.Fatal(i, err)
		}
	}
}
