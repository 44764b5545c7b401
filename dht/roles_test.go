package dht

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/wire"
)

func somebody(rng *rand.Rand) peer.ID {
	var key [32]byte
	for i := range key {
		key[i] = byte(rng.Uint32())
	}
	return wire.PeerID(key)
}

// Each decides for himself, and the same few serve, whoever heard of whom when.
func TestFewServeAndAllAgreeWho(t *testing.T) {
	for _, n := range []int{1, 2, 24, 25, 1000} {
		rng := rand.New(rand.NewPCG(1, uint64(n)))
		var ids []peer.ID
		for range n {
			ids = append(ids, somebody(rng))
		}
		serve := 0
		for _, self := range ids {
			r := newRoles(self)
			for _, i := range rng.Perm(n) {
				r.heard(ids[i], moment)
			}
			if r.serve(moment, 100) {
				serve++
			}
		}
		if serve != min(n, servers) {
			t.Errorf("of %d nodes %d serve", n, serve)
		}
	}
}

func TestServingHasHysteresis(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	self := somebody(rng)
	r := newRoles(self)
	lower := func(n int) { // hears of nodes with lower hashes
		for n > 0 {
			id := somebody(rng)
			before := len(r.lowest)
			if other := newRoles(id); string(other.self[:]) < string(r.self[:]) {
				r.heard(id, moment)
				if len(r.lowest) > before {
					n--
				}
			}
		}
	}
	lower(servers - 1)
	if !r.serve(moment, 100) {
		t.Fatal("the last of the lowest does not serve")
	}
	lower(serversOut - servers)
	if !r.serve(moment, 100) {
		t.Error("a few newcomers end it")
	}
	lower(1)
	if r.serve(moment, 100) {
		t.Error("serves although too many are lower")
	}
	if !r.serve(moment, enough-1) {
		t.Error("invented nodes leave the table without servers")
	}
	if r.serving = false; r.serve(moment.Add(heardFor), 100) {
		t.Error("who was heard of a day ago does not count")
	}
	if !r.serve(moment.Add(heardFor+time.Second), 100) {
		t.Error("who was not heard of for a day counts")
	}
}
