package node

import (
	"fmt"
	"math"
	"testing"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
)

// meshOf is a mesh of the topic x with size peers, named 0, 1, …
func meshOf(size int) *mesh {
	m := newMesh(func() float64 { return 0 }, func(peer.ID) bool { return false })
	m.joined("x")
	for i := range size {
		m.grafted(peer.ID(fmt.Sprint(i)), "x")
	}
	return m
}

func topicX() *string {
	x := "x"
	return &x
}

func offers() *pubsub.RPC {
	return &pubsub.RPC{RPC: pb.RPC{Control: &pb.ControlMessage{Ihave: []*pb.ControlIHave{{TopicID: topicX()}, {TopicID: topicX()}}}}}
}

func subscribes(on bool) *pubsub.RPC {
	return &pubsub.RPC{RPC: pb.RPC{Subscriptions: []*pb.RPC_SubOpts{{Topicid: topicX(), Subscribe: &on}}}}
}

func brings() *pubsub.RPC {
	return &pubsub.RPC{RPC: pb.RPC{Publish: []*pb.Message{{Topic: topicX()}, {Topic: topicX()}}}}
}

func prunes(backoff uint64) *pubsub.RPC {
	return &pubsub.RPC{RPC: pb.RPC{Control: &pb.ControlMessage{Prune: []*pb.ControlPrune{{TopicID: topicX(), Backoff: &backoff}}}}}
}

func TestWhoOffersIsTakenIntoAMeshThatIsTooSmall(t *testing.T) {
	now := time.Now()
	m := meshOf(thinMesh.least - 1)
	if ctl := m.decide("0", offers(), now); ctl != nil {
		t.Error("one that is in it is asked")
	}
	if ctl := m.decide("new", offers(), now); len(ctl.GetGraft()) != 1 || len(ctl.GetPrune()) != 0 {
		t.Errorf("told %v, want one GRAFT", ctl)
	}
	if ctl := m.decide("new", offers(), now); ctl != nil {
		t.Error("asked again at once")
	}
	if ctl := meshOf(thinMesh.least).decide("new", offers(), now); ctl != nil {
		t.Error("a mesh that is large enough asks")
	}
	if ctl := m.decide("third", subscribes(true), now); len(ctl.GetGraft()) != 1 {
		t.Errorf("one that subscribes is told %v, want one GRAFT", ctl)
	}
	if ctl := m.decide("fourth", subscribes(false), now); ctl != nil {
		t.Error("one that ends its subscription is asked")
	}
	m.left("x")
	if ctl := m.decide("another", offers(), now); ctl != nil {
		t.Error("asked for a topic that was left")
	}
}

func TestWhoBringsWhatASilentMeshDidNotIsTakenIn(t *testing.T) {
	now := time.Now()
	m := meshOf(thinMesh.most - 1)
	m.heed("0", brings(), now)
	if ctl := m.decide("new", brings(), now); ctl != nil {
		t.Error("asked though the mesh brings messages")
	}
	if ctl := m.decide("new", brings(), now.Add(meshStill)); len(ctl.GetGraft()) != 1 {
		t.Errorf("told %v, want one GRAFT", ctl)
	}
	if ctl := meshOf(thinMesh.most).decide("new", brings(), now); ctl != nil {
		t.Error("a mesh grew without end")
	}
}

func TestWhoPrunedIsLeftAloneAsLongAsHeSays(t *testing.T) {
	for asked, want := range map[uint64]time.Duration{0: gossipPrune, 60: time.Minute, math.MaxUint64: meshBackoffMost} {
		now := time.Now()
		m := meshOf(1)
		m.decide("0", prunes(asked), now)
		m.pruned("0", "x")
		if ctl := m.decide("0", offers(), now.Add(want-time.Second)); ctl != nil {
			t.Errorf("backoff %d: asked before %v", asked, want)
		}
		if ctl := m.decide("0", offers(), now.Add(want+time.Second)); len(ctl.GetGraft()) != 1 {
			t.Errorf("backoff %d: not asked after %v", asked, want)
		}
	}
	m := meshOf(0)
	m.decide("stranger", prunes(60), time.Now())
	if len(m.topics["x"].rest) != 0 {
		t.Error("a PRUNE from outside the mesh is kept")
	}
}

func TestOnlyWhoBringsThingsTwiceIsLetGo(t *testing.T) {
	now := time.Now()
	m := meshOf(thinMesh.most + 2)
	if ctl := m.decide("0", brings(), now); ctl != nil {
		t.Error("let go of one who brought nothing twice")
	}
	m.repeated("0", "x")
	m.repeated("1", "x")
	ctl := m.decide("0", brings(), now)
	if len(ctl.GetPrune()) != 1 || ctl.Prune[0].GetBackoff() != uint64(gossipPrune/time.Second) {
		t.Fatalf("told %v, want one PRUNE", ctl)
	}
	m.pruned("0", "x")
	later := now.Add(2 * meshPause)
	if ctl := m.decide("1", brings(), later); ctl != nil {
		t.Error("let go of a second for what it brought before the first went")
	}
	m.repeated("1", "x")
	if ctl := m.decide("1", brings(), now.Add(meshPause/2)); ctl != nil {
		t.Error("let go of two at once")
	}
	if ctl := m.decide("1", brings(), later); len(ctl.GetPrune()) != 1 {
		t.Error("kept one too many")
	}
	m.pruned("1", "x")
	m.repeated("2", "x")
	if ctl := m.decide("2", brings(), later.Add(2*meshPause)); ctl != nil {
		t.Error("let go of one of the last three")
	}
}

func TestAPoorLinkIsNotCut(t *testing.T) {
	m := meshOf(thinMesh.most + 1)
	m.poor = func(p peer.ID) bool { return p == "0" }
	m.repeated("0", "x")
	m.repeated("1", "x")
	if ctl := m.decide("0", brings(), time.Now()); ctl != nil {
		t.Error("cut")
	}
	if ctl := m.decide("1", brings(), time.Now()); ctl == nil {
		t.Error("a good one is not cut either")
	}
}

func TestTheDegreeFollowsLossWithHysteresis(t *testing.T) {
	loss := 0.0
	m := newMesh(func() float64 { return loss }, nil)
	begin := time.Now()
	for _, step := range []struct {
		after time.Duration
		loss  float64
		want  degree
	}{
		{0, 0, thinMesh},
		{time.Minute, 0.015, thinMesh}, // not yet
		{2 * time.Minute, 0.025, thickMesh},
		{3 * time.Minute, 0.015, thickMesh}, // still
		{3*time.Minute + lossGone/2, 0, thickMesh},
		{3*time.Minute + lossGone/2 + time.Second, 0.012, thickMesh}, // begins anew
		{3*time.Minute + lossGone + 2*time.Second, 0, thickMesh},
		{3*time.Minute + 2*lossGone, 0, thinMesh},
	} {
		loss = step.loss
		m.checkLoss(begin.Add(step.after))
		if m.want != step.want {
			t.Errorf("after %v at %v: %v, want %v", step.after, step.loss, m.want, step.want)
		}
	}
}

func TestNothingIsKeptOfWhoIsGone(t *testing.T) {
	m := meshOf(1)
	m.pruned("0", "x")
	m.grafted("1", "x")
	m.gone("0")
	m.gone("1")
	x := m.topics["x"]
	if len(x.peers) != 0 || len(x.rest) != 0 {
		t.Errorf("%v", x)
	}
	now := time.Now()
	m.decide("1", offers(), now) // what was on the way when he went
	if m.decide("2", offers(), now.Add(gossipPrune)); x.rest["1"] != (time.Time{}) {
		t.Error("who spoke last of all is kept")
	}
}

func TestOffersAreHeededUnlessTheMeshBringsThem(t *testing.T) {
	for name, test := range map[string]struct {
		from  peer.ID // of whom a message came
		after time.Duration
		loss  float64
		want  bool
	}{
		"the mesh is silent":                   {"", 0, 0, true},
		"the mesh brings messages":             {"0", meshStill / 2, 0, false},
		"it did so a while ago":                {"0", 2 * meshStill, 0, true},
		"only one outside of it brings them":   {"other", meshStill / 2, 0, true},
		"it brings messages, but packets fail": {"0", meshStill / 2, 2 * lossMuch, true},
	} {
		m, now := meshOf(thinMesh.most), time.Now()
		m.loss = func() float64 { return test.loss }
		if test.from != "" {
			m.heed(test.from, brings(), now)
		}
		rpc := offers()
		m.checkLoss(now.Add(test.after))
		m.heed("another", rpc, now.Add(test.after))
		if heeded := len(rpc.GetControl().GetIhave()) > 0; heeded != test.want {
			t.Errorf("%s: heeded %v", name, heeded)
		}
	}
}

func TestOffersAreHeededOfOneAtATime(t *testing.T) {
	m, now := meshOf(thinMesh.most), time.Now()
	heeded := func(p peer.ID, at time.Time) int {
		rpc := offers()
		m.heed(p, rpc, at)
		return len(rpc.GetControl().GetIhave())
	}
	if got := heeded("one", now); got != 2 {
		t.Errorf("of the two of the first %d are heeded", got)
	}
	if got := heeded("two", now.Add(meshStill-1)); got != 0 {
		t.Errorf("of a second one's %d are heeded meanwhile", got)
	}
	if got := heeded("two", now.Add(meshStill)); got != 2 {
		t.Errorf("of his two %d are heeded afterwards", got)
	}
}
