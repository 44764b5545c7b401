package dht

import (
	"errors"
	"fmt"
	"math/rand"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// People look for few others often and for many seldom: a trace of 100,000
// look-ups of 1,000 nodes by Zipf's law, ten a second.
func TestLookupsAreMostlyCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMetrics()
		c := newCache[int](m.lookups)
		zipf := rand.NewZipf(rand.New(rand.NewSource(1)), 1.2, 1, 999)
		const n = 100_000
		for range n {
			who := int(zipf.Uint64())
			got, found, err := c.get(fmt.Sprint(who), func() (int, bool, error) { return who, true, nil })
			if got != who || !found || err != nil {
				t.Fatalf("%d: %d %v %v", who, got, found, err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		rate := testutil.ToFloat64(m.lookups.WithLabelValues("hit")) / n
		t.Logf("hit rate %.3f", rate)
		if rate < 0.92 {
			t.Errorf("hit rate %.3f", rate)
		}
	})
}

func TestCachedAnswersAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache[int](newMetrics().lookups)
		asked := 0
		ask := func(found bool, err error) {
			_, _, _ = c.get("x", func() (int, bool, error) { asked++; return asked, found, err })
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
	})
}
