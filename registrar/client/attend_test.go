package client

import (
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/parley-chat/parley/internal/fault"
	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/node"
)

// choosing is an attendant of a node that is connected with nobody, three registrars, and
// a time.
func choosing(t *testing.T) (a *attendant, liked []peer.ID, now time.Time) {
	t.Helper()
	n, err := node.Start(t.Context(), node.Config{Dir: t.TempDir(), NoMDNS: true, Listen: []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/0")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	set := []peer.ID{newKey(t).id, newKey(t).id, newKey(t).id}
	return &attendant{node: n, lines: make(map[peer.ID]*Client), avoided: make(map[peer.ID]time.Time)}, order(n.ID(), set), time.Now()
}

// spec: 11-registrars M22, M25
func TestANodeKeepsToItsChoice(t *testing.T) {
	a, liked, now := choosing(t)
	expect := func(when string, now time.Time, want ...int) {
		t.Helper()
		got := a.candidates(slices.Clone(liked), now)
		for i := range want {
			if len(got) != len(liked) || got[i] != liked[want[i]] {
				t.Fatalf("%s: asks %v of %v", when, got, liked)
			}
		}
	}
	expect("at first", now, 0, 1, 2)
	a.settle(liked[0], Beat{}, 3)
	expect("at its first choice", now, 0, 1, 2)
	a.settle(liked[2], Beat{}, 3) // the others did not answer
	expect("at another", now, 2, 0, 1)
	later := now.Add(lookEvery + time.Second)
	expect("when it is time to look", later, 0, 2, 1)
	expect("once it has looked", later, 2, 0, 1)
	expect("and the next time", later.Add(lookEvery), 0, 2, 1)
	a.settle(liked[0], Beat{}, 3)
	expect("back", later.Add(time.Hour), 0, 1, 2)
	if got := a.candidates(liked[1:], now); len(got) != 2 || got[0] != liked[1] {
		t.Errorf("when its own is a registrar no more: asks %v", got)
	}
}

func TestAnOverloadedRegistrarIsLeft(t *testing.T) {
	a, liked, now := choosing(t)
	a.settle(liked[0], Beat{Overloaded: true}, 3)
	if got := a.candidates(slices.Clone(liked), now); got[0] != liked[1] || got[2] != liked[0] {
		t.Errorf("asks %v of %v", got, liked)
	}
	a.settle(liked[1], Beat{}, 3)
	if got := a.candidates(slices.Clone(liked), now.Add(avoidFor-time.Second)); got[0] != liked[1] {
		t.Errorf("goes back at once: asks %v of %v", got, liked)
	}
	if got := a.candidates(slices.Clone(liked), now.Add(2*avoidFor+time.Second)); got[0] != liked[0] {
		t.Errorf("never goes back: asks %v of %v", got, liked)
	}
	for _, p := range liked {
		a.settle(p, Beat{Overloaded: true}, 3)
	}
	if got := a.candidates(slices.Clone(liked), now); a.at != liked[2] || got[0] != liked[2] {
		t.Errorf("where all are overloaded: at %v, asks %v of %v", a.at, got, liked)
	}
}

// Who is refused by all does not ask each second: each refusal is a record in a log. Who
// is not answered does.
func TestWhoIsRefusedHasPatience(t *testing.T) {
	a, _, _ := choosing(t)
	refusal := fault.New("P6011", fault.User, "refused", "")
	for _, v := range []struct {
		errs []error
		want time.Duration
	}{
		{[]error{refusal, refusal}, refusedFor}, {[]error{refusal, ErrUnreachable}, retryAfter}, {[]error{ErrUnreachable}, retryAfter},
	} {
		if got := a.nobody(v.errs); got != v.want {
			t.Errorf("%v: again after %v", v.errs, got)
		}
	}
}

// Who was taken out tells nobody that it is there: each time would be a refusal in the
// audit log of a registrar.
func TestTheRevokedSendNoHeartbeats(t *testing.T) {
	a, liked, _ := choosing(t)
	key, err := wire.Author(a.node.ID())
	if err != nil {
		t.Fatal(err)
	}
	if !a.mayTell(liked) {
		t.Error("a member does not tell")
	}
	if a.mayTell(nil) || a.mayTell([]peer.ID{liked[0], a.node.ID()}) {
		t.Error("it tells nobody, or itself")
	}
	a.node.SetRevocations(node.Revocations{Peers: map[[32]byte]struct{}{key: {}}})
	if a.mayTell(liked) {
		t.Error("who was revoked tells")
	}
}
