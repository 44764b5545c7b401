package chat_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node"
	"github.com/parley-chat/parley/node/nodetest"
)

func (p *party) revoke(by, whom int) {
	p.t.Helper()
	if _, err := p.ms[by].Registry().Revoke(p.t.Context(), p.ms[whom].ID(), "laptop lost"); err != nil {
		p.t.Fatal(err)
	}
}

// knowsRevoked waits until node i has the revocation of p in force.
func (p *party) knowsRevoked(i int, d time.Duration, whom peer.ID) time.Duration {
	p.t.Helper()
	begin := time.Now()
	p.Wait(d, fmt.Sprintf("node %d knows who is revoked", i), func() error {
		if _, found := p.ms[i].Registry().Revoked(whom); !found {
			return errors.New("not revoked")
		}
		if slices.ContainsFunc(p.Nodes[i].Peers(), func(o node.Peer) bool { return o.ID == whom }) {
			return errors.New("admitted still")
		}
		return nil
	})
	return time.Since(begin)
}

func saidIn(all []chat.Message) (out []string) {
	for _, m := range all {
		out = append(out, m.Text)
	}
	slices.Sort(out)
	return out
}

// A revoked node is out everywhere within five seconds, stays out, and what it
// says afterwards is in nobody's history, whoever brings it.
//
// spec: 11-registrars M40 M41 M42
func TestARevokedNodeIsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 5, nodetest.Config{Registrars: 2})
		for i := range 5 {
			p.join(i, "lobby")
		}
		time.Sleep(3 * time.Second) // the mesh forms
		p.say(4, "lobby", "before")
		time.Sleep(2 * time.Second)
		whom := p.ms[4].ID()
		p.revoke(1, 4)
		for i := range 4 {
			t.Logf("node %d: %v", i, p.knowsRevoked(i, 5*time.Second, whom))
		}
		r, err := p.ms[4].Room("lobby")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Send(t.Context(), chat.Text("after")); err != nil && !errors.Is(err, chat.ErrRevoked) {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		for i := range 4 {
			if got := saidIn(p.history(i, "lobby", chat.Query{})); !slices.Equal(got, []string{"before"}) {
				t.Errorf("node %d has %q", i, got)
			}
			if p.Nodes[i].Knows(whom) && len(p.Nodes[i].Host().Network().ConnsToPeer(whom)) > 0 {
				t.Errorf("node %d is connected with it", i)
			}
			room, _ := p.ms[i].Room("lobby")
			members, err := room.Members(t.Context())
			if err != nil || slices.ContainsFunc(members, func(m chat.Member) bool { return m.Peer == whom }) {
				t.Errorf("node %d has it as a member (%v)", i, err)
			}
		}
	})
}

// What a node said that the registrar did not have when it revoked it is taken
// out again where it is.
//
// spec: 11-registrars M42
func TestWhatTheRegistrarDidNotHaveIsTakenOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 4, nodetest.Config{Registrars: 1})
		for i := range 4 {
			p.join(i, "lobby")
		}
		time.Sleep(3 * time.Second)
		p.say(3, "lobby", "before")
		time.Sleep(2 * time.Second)
		p.Partition([]int{0, 1}, []int{2, 3})
		time.Sleep(10 * time.Second)
		p.say(3, "lobby", "behind the registrar's back")
		p.say(2, "lobby", "another's")
		time.Sleep(5 * time.Second)
		p.revoke(0, 3)
		p.Heal()
		p.knowsRevoked(2, 2*time.Minute, p.ms[3].ID())
		time.Sleep(2 * time.Minute)
		for i := range 3 {
			if got := saidIn(p.history(i, "lobby", chat.Query{})); !slices.Equal(got, []string{"another's", "before"}) {
				t.Errorf("node %d has %q", i, got)
			}
		}
	})
}

// A registrar whose clock is an hour ahead, or behind, revokes at once.
//
// spec: 11-registrars M47
func TestARegistrarsClockMayBeWrong(t *testing.T) {
	for _, off := range []time.Duration{time.Hour, -time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			p := gather(t, 3, nodetest.Config{Registrars: 1, Configure: func(i int, c *node.Config) {
				if i == 0 {
					c.Now = func() time.Time { return time.Now().Add(off) }
				}
			}})
			p.revoke(0, 2)
			t.Logf("%v off: %v", off, p.knowsRevoked(1, 5*time.Second, p.ms[2].ID()))
		})
	}
}

// Who was away when a node was revoked learns of it from the first it meets, also
// when no registrar is left.
//
// spec: 11-registrars M43
func TestRevocationsAreHeardByWhoWasAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 4, nodetest.Config{Registrars: 1})
		whom := p.ms[3].ID()
		p.Stop(2)
		p.revoke(0, 3)
		p.knowsRevoked(1, 5*time.Second, whom)
		p.Stop(0)
		p.Start(2)
		t.Logf("after %v", p.knowsRevoked(2, 5*time.Second, whom))
	})
}

// Both sides of a partition that revoke agree when it ends.
func TestRegistrarsConvergeAfterAPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 6, nodetest.Config{Registrars: 2})
		a, b := p.ms[4].ID(), p.ms[5].ID()
		p.Partition([]int{0, 2, 4}, []int{1, 3, 5})
		time.Sleep(10 * time.Second)
		p.revoke(0, 5)
		p.revoke(1, 4)
		time.Sleep(time.Minute)
		p.Heal()
		for i := range 4 {
			p.knowsRevoked(i, 2*time.Minute, a)
			p.knowsRevoked(i, 2*time.Minute, b)
		}
	})
}

func TestOnlyRegistrarsRevoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 3, nodetest.Config{Registrars: 1})
		if _, err := p.ms[1].Registry().Revoke(t.Context(), p.ms[2].ID(), "x"); !errors.Is(err, chat.ErrNotRegistrar) {
			t.Error(err)
		}
		if _, err := p.ms[0].Registry().Revoke(t.Context(), p.ms[0].ID(), "x"); !errors.Is(err, chat.ErrIsRegistrar) {
			t.Error(err)
		}
		for _, reason := range []string{"", "\x1b[2J", string(make([]byte, 257))} {
			if _, err := p.ms[0].Registry().Revoke(t.Context(), p.ms[2].ID(), reason); !errors.Is(err, chat.ErrReason) {
				t.Errorf("%q: %v", reason, err)
			}
		}
	})
}

// What a stolen registrar wrote counts up to where the root says, for those who
// have it and for those who come later.
//
// spec: 11-registrars M44
func TestARemovedRegistrarsWordsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 5, nodetest.Config{Registrars: 2})
		good, bad := p.ms[3].ID(), p.ms[4].ID()
		p.revoke(1, 3)
		p.knowsRevoked(0, 5*time.Second, good)
		p.knowsRevoked(2, 5*time.Second, good)
		seq, id, err := p.ms[0].Registry().End(p.ms[1].ID())
		if err != nil || seq == 0 {
			t.Fatal(seq, err)
		}
		p.revoke(1, 4) // the thief's
		p.knowsRevoked(0, 5*time.Second, bad)
		p.knowsRevoked(2, 5*time.Second, bad)
		if _, err := node.RemoveRegistrar(p.Dir(0), p.ms[1].ID(), seq, id); err != nil {
			t.Fatal(err)
		}
		check := func(i int) {
			t.Helper()
			p.Wait(time.Minute, fmt.Sprintf("node %d goes by the record", i), func() error {
				if _, found := p.ms[i].Registry().Revoked(good); !found {
					return errors.New("what counts is gone")
				}
				if _, found := p.ms[i].Registry().Revoked(bad); found {
					return errors.New("what does not count is in force")
				}
				return nil
			})
		}
		check(0)
		check(2)
		i := p.Add() // with the new record
		check(i)
	})
}
