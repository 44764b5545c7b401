package dht

import (
	"context"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

const tablesEnv = "TABLES"

// A site of TABLES nodes, each of which knows three that came before it and
// hears of all. Rooms of five: each finds the other four. Then everybody looks
// others up, few often and many seldom, for five minutes.
func TestManyTables(t *testing.T) {
	text := os.Getenv(tablesEnv)
	if text == "" {
		t.Skip("takes minutes: make soak runs it, with TABLES nodes")
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 40 {
		t.Fatalf("%s is %q: at least 40", tablesEnv, text)
	}
	onSite(t, func(s *site) {
		rng := rand.New(rand.NewPCG(1, 2))
		var ids []peer.ID
		for i := range n {
			var knows []int
			for range min(i, 3) {
				if j := rng.IntN(i); !slices.Contains(knows, j) {
					knows = append(knows, j)
				}
			}
			ids = append(ids, s.start(i, knows...).ID())
			time.Sleep(20 * time.Millisecond)
		}
		for _, v := range s.nodes {
			v.table.Heard(ids...)
		}
		time.Sleep(time.Minute)
		for i, v := range s.nodes { // as nodes tell each other of servers: 01-network §5.3
			for j := 0; v.table.Scarce() && j < n; j++ {
				if s.nodes[j].table.Serving() && i != j {
					s.connect(i, j)
					time.Sleep(time.Second)
				}
			}
		}
		for room := range n / 10 {
			for k := range 5 {
				s.nodes[(7*room+k*n/5)%n].table.Provide([32]byte{byte(room), byte(room >> 8)})
			}
		}
		time.Sleep(3 * time.Minute)
		s.report(n)
		s.lookAround(rng, ids)
	})
}

// report checks and logs how a site stands.
func (s *site) report(n int) {
	s.t.Helper()
	serving, conns, most, lacking := 0, 0, 0, 0
	for _, v := range s.nodes {
		if v.table.Serving() {
			serving++
		}
		c := len(v.Network().Peers())
		conns, most = conns+c, max(most, c)
	}
	for room := range n / 10 {
		for k := range 5 {
			if found := len(s.nodes[(7*room+k*n/5)%n].found); found < 4 {
				lacking++
			}
		}
	}
	s.t.Logf("%d nodes: %d serve; connections of a node: %d on average, %d at most", n, serving, conns/n, most)
	if serving < servers || serving > serversOut {
		s.t.Errorf("%d nodes serve", serving)
	}
	if lacking > 0 {
		s.t.Errorf("%d members have not found the others", lacking)
	}
}

// lookAround has every node look others up, one a second.
func (s *site) lookAround(rng *rand.Rand, ids []peer.ID) {
	s.t.Helper()
	const looks = 300
	asked, missing := 0, 0
	var took []time.Duration
	order := rng.Perm(len(ids))
	for range looks {
		v := s.nodes[rng.IntN(len(s.nodes))]
		who := ids[order[int(float64(len(ids))*rng.Float64()*rng.Float64()*rng.Float64())]]
		before := testutil.ToFloat64(v.table.metrics.lookups.WithLabelValues("miss"))
		began := time.Now()
		r, err := v.table.Lookup(context.Background(), who)
		if err != nil || r.ID != who {
			missing++
		}
		if testutil.ToFloat64(v.table.metrics.lookups.WithLabelValues("miss")) > before {
			asked++
			took = append(took, time.Since(began))
		}
		time.Sleep(time.Second)
	}
	slices.Sort(took)
	s.t.Logf("%d look-ups: %d asked the table, %d found nothing; half took at most %v, 99 of 100 %v",
		looks, asked, missing, took[len(took)/2], took[len(took)*99/100])
	if missing > 0 {
		s.t.Errorf("%d look-ups found nothing", missing)
	}
}
