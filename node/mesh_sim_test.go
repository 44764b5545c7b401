package node

import (
	"encoding/binary"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/parley-chat/parley/internal/testnet"
)

// talk is nodes in one topic, of which the first writes and the others note
// when they hear it.
type talk struct {
	t     *testing.T
	nodes []*Node
	topic *pubsub.Topic
	sent  []time.Time

	mu    sync.Mutex
	heard []map[int]time.Time // a node: when it heard what
}

// quick has latencies as a local network.
var quick = testnet.Config{Latency: 300 * time.Microsecond}

// talkOf starts n nodes, whose heartbeats fall apart as those of machines do;
// dials says whom each one meets, of those before it.
func talkOf(t *testing.T, net *testnet.Net, n int, dials func(all []*Node) func(*Config)) *talk {
	t.Helper()
	r := &talk{t: t}
	for i := range n {
		r.nodes = append(r.nodes, simNode(t, net, i, dials(r.nodes)))
		time.Sleep(gossipBeat * 7 / 20)
	}
	for i, node := range r.nodes {
		topic, sub := subscribe(t, node, "x")
		r.heard = append(r.heard, make(map[int]time.Time))
		if i == 0 {
			r.topic = topic
			continue
		}
		go r.listen(i, sub)
	}
	time.Sleep(3 * time.Second)
	synctest.Wait()
	return r
}

func everyone(all []*Node) func(*Config) { return peersOf(all...) }

// theFirst makes a star: whatever a leaf hears of others, it dials none.
func theFirst(all []*Node) func(*Config) {
	if len(all) == 0 {
		return func(*Config) {}
	}
	return func(c *Config) {
		peersOf(all[0])(c)
		c.Libp2p = append(c.Libp2p, libp2p.ConnectionGater(onlyDials{all[0].ID()}))
	}
}

type onlyDials struct{ peer.ID }

func (o onlyDials) InterceptPeerDial(p peer.ID) bool                              { return p == o.ID }
func (onlyDials) InterceptAddrDial(peer.ID, ma.Multiaddr) bool                    { return true }
func (onlyDials) InterceptAccept(network.ConnMultiaddrs) bool                     { return true }
func (onlyDials) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }

func (onlyDials) InterceptSecured(network.Direction, peer.ID, network.ConnMultiaddrs) bool {
	return true
}

func (r *talk) listen(i int, sub *pubsub.Subscription) {
	for {
		m, err := sub.Next(r.t.Context())
		if err != nil {
			return
		}
		r.mu.Lock()
		r.heard[i][int(binary.BigEndian.Uint32(m.Data))] = time.Now()
		r.mu.Unlock()
	}
}

// write publishes a hundred messages a second for d.
func (r *talk) write(d time.Duration) {
	r.t.Helper()
	for range int(d / (10 * time.Millisecond)) {
		data := binary.BigEndian.AppendUint32(nil, uint32(len(r.sent)))
		r.sent = append(r.sent, time.Now())
		if err := r.topic.Publish(r.t.Context(), append(data, make([]byte, 300)...)); err != nil {
			r.t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// latencies are those of all that was sent from the first-th message on, to
// those nodes, sorted, and how many never came.
func (r *talk) latencies(first int, nodes ...int) (took []time.Duration, missing int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, i := range nodes {
		for m := first; m < len(r.sent); m++ {
			if at, ok := r.heard[i][m]; ok {
				took = append(took, at.Sub(r.sent[m]))
			} else {
				missing++
			}
		}
	}
	slices.Sort(took)
	return took, missing
}

// silence is the longest time in which one of those nodes heard nothing new,
// since begin.
func (r *talk) silence(begin time.Time, nodes ...int) (longest time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, i := range nodes {
		times := []time.Time{begin, time.Now()}
		for _, at := range r.heard[i] {
			if at.After(begin) {
				times = append(times, at)
			}
		}
		slices.SortFunc(times, time.Time.Compare)
		for k := range times[1:] {
			longest = max(longest, times[k+1].Sub(times[k]))
		}
	}
	return longest
}

// degrees are the sizes of the meshes of those who hear. The writer's is no
// smaller than it was: nobody brings it what he wrote, which goes to all of it.
func (r *talk) degrees() (sizes []int) {
	for _, n := range r.nodes[1:] {
		n.mesh.mu.Lock()
		sizes = append(sizes, len(n.mesh.topics["x"].peers))
		n.mesh.mu.Unlock()
	}
	return sizes
}

// others are the numbers from 1 to n-1.
func others(n int) (out []int) {
	for i := 1; i < n; i++ {
		out = append(out, i)
	}
	return out
}

func percentile(sorted []time.Duration, p int) time.Duration { return sorted[(len(sorted)-1)*p/100] }

func TestTheMeshIsThinUntilPacketsGetLost(t *testing.T) {
	if testing.Short() {
		t.Skip("slow under the race detector; make check runs it")
	}
	inBubble(t, quick, func(t *testing.T, net *testnet.Net) {
		r := talkOf(t, net, 10, everyone)
		r.write(15 * time.Second)
		if got := r.degrees(); slices.Max(got) > thinMesh.most+1 || slices.Min(got) < 1 {
			t.Errorf("without loss the meshes have %v", got)
		}
		net.SetLoss(0.2)
		r.write(5 * time.Second)
		if got := r.degrees(); slices.Min(got) <= thinMesh.most {
			t.Errorf("at 20 %% loss the meshes have %v", got)
		}
		first := len(r.sent)
		r.write(20 * time.Second)
		time.Sleep(time.Second)
		took, missing := r.latencies(first, others(10)...)
		if missing > 0 || percentile(took, 99) > 20*time.Millisecond {
			t.Errorf("at 20 %% loss %d missing, 99 of 100 took at most %v", missing, percentile(took, 99))
		}
		net.SetLoss(0)
		r.write(15 * time.Second)
		if got := r.degrees(); slices.Min(got) < thinMesh.least {
			t.Errorf("a moment after the loss the meshes have %v", got)
		}
		r.write(lossGone + 15*time.Second)
		if got := r.degrees(); slices.Max(got) > thinMesh.most+1 || slices.Min(got) < 1 {
			t.Errorf("long after the loss the meshes have %v", got)
		}
	})
}

func TestEverythingArrivesAtThirtyPercentLoss(t *testing.T) {
	if testing.Short() {
		t.Skip("slow under the race detector; make check runs it")
	}
	cfg := quick
	cfg.Loss = 0.3
	inBubble(t, cfg, func(t *testing.T, net *testnet.Net) {
		r := talkOf(t, net, 10, everyone)
		time.Sleep(time.Minute) // until all have met
		r.write(20 * time.Second)
		time.Sleep(2 * time.Second)
		if took, missing := r.latencies(0, others(10)...); missing > 0 {
			t.Errorf("%d missing; 99 of 100 took at most %v", missing, percentile(took, 99))
		}
	})
}

// Nobody tells that the dead are gone: the pings notice them 3 s later.
func TestDeathsSilenceNobodyForLong(t *testing.T) {
	if testing.Short() {
		t.Skip("slow under the race detector; make check runs it")
	}
	inBubble(t, quick, func(t *testing.T, net *testnet.Net) {
		r := talkOf(t, net, 20, everyone)
		r.write(10 * time.Second)
		begin := time.Now()
		for i := 15; i < 20; i++ {
			net.Cut(i, true)
		}
		r.write(5 * time.Second)
		if got := r.silence(begin, others(15)...); got > 300*time.Millisecond {
			t.Errorf("a survivor heard nothing for %v", got)
		}
	})
}

// The leaves reach the hub alone: none may be cut from its mesh.
func TestTheHubOfAStarKeepsItsLeaves(t *testing.T) {
	if testing.Short() {
		t.Skip("slow under the race detector; make check runs it")
	}
	inBubble(t, quick, func(t *testing.T, net *testnet.Net) {
		const n = 31
		r := talkOf(t, net, n, theFirst)
		for _, leaf := range r.nodes[1:] {
			if got := len(leaf.Peers()); got != 1 {
				t.Fatalf("a leaf has %d peers", got)
			}
		}
		r.write(20 * time.Second)
		time.Sleep(time.Second)
		took, missing := r.latencies(0, others(n)...)
		if missing > 0 || took[len(took)-1] > 20*time.Millisecond {
			t.Errorf("%d missing, the longest took %v", missing, took[len(took)-1])
		}
	})
}

// What is written as soon as the other is known to listen arrives at once, not
// after a heartbeat: what is sent before a mesh forms is told of to nobody.
func TestAFirstMessageArrivesAtOnce(t *testing.T) {
	inBubble(t, quick, func(t *testing.T, net *testnet.Net) {
		a := simNode(t, net, 0)
		topic, _ := subscribe(t, a, "x")
		events, err := topic.EventHandler()
		if err != nil {
			t.Fatal(err)
		}
		defer events.Cancel()
		time.Sleep(1234 * time.Millisecond)
		begin := time.Now()
		b := simNode(t, net, 1, peersOf(a))
		_, sub := subscribe(t, b, "x")
		if _, err := events.NextPeerEvent(testContext(t)); err != nil {
			t.Fatal(err)
		}
		if err := topic.Publish(t.Context(), []byte("first")); err != nil {
			t.Fatal(err)
		}
		if _, err := sub.Next(testContext(t)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took > 500*time.Millisecond {
			t.Errorf("heard %v after the second node began to start", took)
		}
	})
}
