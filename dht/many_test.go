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
// others up, few often and many seldom. 40 nodes unless make soak asks for more.
func TestManyTables(t *testing.T) {
	n, looks, settled := 40, 20, time.Minute
	if text := os.Getenv(tablesEnv); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 40 {
			t.Fatalf("%s is %q: at least 40", tablesEnv, text)
		}
		looks, settled = 300, 3*time.Minute
	} else if testing.Short() {
		t.Skip("takes many seconds under the race detector")
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
			v := s.start(i, knows...)
			v.table.Heard(ids...)
			ids = append(ids, v.ID())
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
		time.Sleep(settled)
		s.report(n)
		s.lookAround(rng, ids, looks)
	})
}

// report checks and logs how a site stands.
func (s *site) report(n int) {
	s.t.Helper()
	serving, conns, most, lacking := 0, 0, 0, 0
	asking := 0 // connections of those who do not serve
	for _, v := range s.nodes {
		c := len(v.Network().Peers())
		conns, most = conns+c, max(most, c)
		if v.table.Serving() {
			serving++
		} else {
			asking += c
		}
	}
	asking /= max(n-serving, 1)
	for room := range n / 10 {
		for k := range 5 {
			if found := len(s.nodes[(7*room+k*n/5)%n].foundOthers()); found < 4 {
				lacking++
			}
		}
	}
	s.t.Logf("%d nodes: %d serve; connections of a node: %d on average, %d at most; %d of one that does not serve", n, serving, conns/n, most, asking)
	if limit := serversOut + 8; asking > limit { // all servers, and whom it began with
		s.t.Errorf("nodes that do not serve have %d connections on average, and not at most %d", asking, limit)
	}
	if serving < servers || serving > serversOut {
		s.t.Errorf("%d nodes serve", serving)
	}
	if lacking > 0 {
		s.t.Errorf("%d members have not found the others", lacking)
	}
}

// lookAround has every node look others up, one a second.
func (s *site) lookAround(rng *rand.Rand, ids []peer.ID, looks int) {
	s.t.Helper()
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
