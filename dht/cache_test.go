package dht

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/rand"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/parley-chat/parley/internal/wire"
)

// People look for few others often and for many seldom: a trace of 100,000
// look-ups of 10,000 nodes by Zipf's law, fifty a second, of which one in a
// hundred is not there. They do not all fit in the cache.
func TestLookupsAreMostlyCached(t *testing.T) {
	onSite(t, func(s *site) {
		const n, nodes = 100_000, 10_000
		tab := s.start(0).table
		ids, number := make([]peer.ID, nodes), make(map[peer.ID]int)
		for i := range ids {
			ids[i] = wire.PeerID(sha256.Sum256(binary.BigEndian.AppendUint64([]byte("looked up"), uint64(i))))
			number[ids[i]] = i
		}
		tab.look = func(key string) (*Record, bool, error) {
			id, _ := keyPeer(key)
			return &Record{ID: id, Expiry: time.Now().Add(time.Hour)}, number[id]%100 != 99, nil
		}
		zipf := rand.NewZipf(rand.New(rand.NewSource(1)), 1.2, 1, nodes-1)
		absent := 0
		for range n {
			i := int(zipf.Uint64())
			r, err := tab.Lookup(context.Background(), ids[i])
			if i%100 == 99 {
				absent++
				if !errors.Is(err, ErrNotFound) {
					t.Fatalf("%d: %v %v", i, r, err)
				}
			} else if err != nil || r.ID != ids[i] {
				t.Fatalf("%d: %v %v", i, r, err)
			}
			time.Sleep(20 * time.Millisecond)
		}
		rate := testutil.ToFloat64(tab.metrics.lookups.WithLabelValues("hit")) / n
		t.Logf("hit rate %.3f; %d of what is not there", rate, absent)
		if rate < 0.92 || absent == 0 || tab.nodes.entries.Len() != cached {
			t.Errorf("hit rate %.3f, %d in the cache", rate, tab.nodes.entries.Len())
		}
	})
}

func TestCachedAnswersAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		life, asked := time.Hour, 0
		c := newCache(newMetrics().lookups, func(int) time.Duration { return life })
		ask := func(found bool, err error) {
			_, _, _ = c.get(t.Context(), "x", func() (int, bool, error) { asked++; return asked, found, err })
		}
		expect := func(want int, what string) {
			t.Helper()
			if asked != want {
				t.Errorf("%s: asked %d times, not %d", what, asked, want)
			}
		}
		ask(true, errors.New("no line"))
		ask(false, nil)
		expect(2, "an error is no answer")
		ask(false, nil)
		expect(2, "what was not found is not looked for at once")
		time.Sleep(missingFor)
		ask(true, nil)
		expect(3, "what was not found is looked for again")
		time.Sleep(foundFor - time.Second)
		ask(true, nil)
		expect(3, "what was found is remembered")
		time.Sleep(time.Second)
		ask(true, nil)
		expect(4, "what was found is looked for again")
		life = time.Minute
		c.forget("x")
		ask(true, nil)
		time.Sleep(life)
		ask(true, nil)
		expect(6, "what was found has expired")
	})
}

// Who asks for what is being asked for waits for that answer, and may give up
// without harm to the others.
func TestOneQuestionForAllWhoAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(newMetrics().lookups, func(int) time.Duration { return time.Hour })
		asked := 0
		get := func(ctx context.Context) error {
			v, found, err := c.get(ctx, "x", func() (int, bool, error) {
				asked++
				time.Sleep(time.Second)
				return 7, true, nil
			})
			if err == nil && (v != 7 || !found) {
				t.Errorf("%d %v", v, found)
			}
			return err
		}
		hasty, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		gaveUp := make(chan error, 1)
		go func() { gaveUp <- get(hasty) }()
		synctest.Wait()
		errs := make(chan error, 10)
		for range cap(errs) {
			go func() { errs <- get(t.Context()) }()
		}
		for range cap(errs) {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		if err := <-gaveUp; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who gives up: %v", err)
		}
		if asked != 1 {
			t.Errorf("asked %d times", asked)
		}
	})
}
