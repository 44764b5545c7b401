package node

import (
	"maps"
	"slices"
	"sync"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
)

// degree is how many peers a node wants in the mesh of a topic: below least it
// asks for more, above most it lets go of those it does not need.
type degree struct{ least, most int }

// Few copies make speed, many hide loss.
var (
	thinMesh  = degree{2, 3}
	thickMesh = degree{5, 6}
)

const (
	lossMuch   = 0.02             // of the packets sent: above it the mesh is thick,
	lossLittle = 0.01             // and thin again after it stayed below this
	lossGone   = 30 * time.Second // for so long
	meshPause  = 500 * time.Millisecond
	meshStill  = 50 * time.Millisecond // without a message, after which what others offer is asked for, of one at a time
	meshLimit  = 1024                  // of what peers may ask for: the hub of a star has all its leaves in its mesh
	// meshBackoffMost bounds what a peer may ask for.
	meshBackoffMost = time.Hour
)

// mesh tends the meshes of GossipSub where its parameters, which stand fixed
// when it starts, cannot:
//
//   - A peer is let go only when the mesh is larger than wanted and the peer has
//     brought something that was here already. So it heard of it on a way of its
//     own, and what is cut lies on a cycle: nobody is cut off. The leaves of a
//     star bring nothing twice, and its hub keeps them all.
//   - A peer that subscribes, or offers messages by their ids as GossipSub does
//     at each heartbeat outside the mesh, is taken into a mesh that is too small:
//     at a first meeting and after deaths at once, and up to the greater degree
//     while packets get lost.
//   - A peer that brings messages from outside a mesh that brings none is taken
//     too: those in it may be dead and not yet known to be.
//
// It acts when a peer's RPC comes in, in GossipSub's loop: the peer is told, and
// GossipSub takes the same GRAFT or PRUNE for that peer's own wish.
type mesh struct {
	send func(peer.ID, *pb.ControlMessage)
	loss func() float64     // of all packets sent lately, the share that was lost
	poor func(peer.ID) bool // the peer's own link loses too many

	mu      sync.Mutex // validators tell of duplicates beside the loop
	topics  map[string]*topicMesh
	want    degree
	checked time.Time // when loss was last looked at
	much    time.Time // when it was last not little
	swept   time.Time
}

// topicMesh is the mesh of one topic.
type topicMesh struct {
	peers  map[peer.ID]bool      // in it; true: brought what was here already since the last was let go
	rest   map[peer.ID]time.Time // until then the peer is not asked
	pruned time.Time             // when the last one was let go
	heard  time.Time             // when one of them last brought something
	heeded time.Time             // when somebody's offer was last heeded
}

func newMesh(loss func() float64, poor func(peer.ID) bool) *mesh {
	return &mesh{loss: loss, poor: poor, topics: make(map[string]*topicMesh), want: thinMesh}
}

// inspect sees each RPC before GossipSub does.
func (m *mesh) inspect(p peer.ID, rpc *pubsub.RPC) error {
	now := time.Now()
	ctl := m.decide(p, rpc, now)
	m.heed(p, rpc, now)
	if ctl == nil {
		return nil
	}
	m.send(p, ctl)
	if rpc.Control == nil {
		rpc.Control = new(pb.ControlMessage)
	}
	rpc.Control.Graft = append(rpc.Control.Graft, ctl.Graft...)
	rpc.Control.Prune = append(rpc.Control.Prune, ctl.Prune...)
	return nil
}

// decide says what to tell p, which sent rpc; nil: nothing.
func (m *mesh) decide(p peer.ID, rpc *pubsub.RPC, now time.Time) *pb.ControlMessage {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.checkLoss(now)
	m.sweep(now)
	for _, prune := range rpc.GetControl().GetPrune() {
		m.rest(p, prune, now)
	}
	var ctl pb.ControlMessage
	take := func(topic string, below int) {
		if m.takes(topic, p, below, now) {
			ctl.Graft = append(ctl.Graft, &pb.ControlGraft{TopicID: &topic})
		}
	}
	for _, sub := range rpc.GetSubscriptions() {
		if sub.GetSubscribe() {
			take(sub.GetTopicid(), m.want.least)
		}
	}
	for _, ihave := range rpc.GetControl().GetIhave() {
		take(ihave.GetTopicID(), m.want.least)
	}
	for _, msg := range rpc.GetPublish() {
		topic := msg.GetTopic()
		if m.silent(topic, now) {
			take(topic, m.want.most)
		}
		if m.letsGo(topic, p, now) {
			backoff := uint64(gossipPrune / time.Second)
			ctl.Prune = append(ctl.Prune, &pb.ControlPrune{TopicID: &topic, Backoff: &backoff})
		}
	}
	if ctl.Graft == nil && ctl.Prune == nil {
		return nil
	}
	return &ctl
}

// heed takes from rpc the offers of what the mesh will bring, and notes what it
// brings.
func (m *mesh) heed(p peer.ID, rpc *pubsub.RPC, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := rpc.Control; c != nil {
		c.Ihave = slices.DeleteFunc(c.Ihave, func(i *pb.ControlIHave) bool { return !m.heeds(i.GetTopicID(), now) })
	}
	for _, msg := range rpc.GetPublish() {
		t := m.topics[msg.GetTopic()]
		if t == nil {
			continue
		}
		if _, in := t.peers[p]; in {
			t.heard = now
		}
	}
}

// heeds reports whether to ask for what is offered in the topic: while packets
// get lost always, otherwise once in a while when the mesh brings nothing. What it
// brings, and what one was asked for, would come again from each who offers it, and
// multiply the load of a busy room.
func (m *mesh) heeds(topic string, now time.Time) bool {
	t := m.topics[topic]
	if t == nil || m.want != thinMesh {
		return true
	}
	if now.Sub(t.heard) < meshStill || now.Sub(t.heeded) < meshStill && !now.Equal(t.heeded) {
		return false
	}
	t.heeded = now
	return true
}

// silent reports whether the topic's mesh has brought nothing for a moment.
func (m *mesh) silent(topic string, now time.Time) bool {
	t := m.topics[topic]
	return t == nil || now.Sub(t.heard) >= meshStill
}

// takes reports whether to take p into the topic's mesh, when that is smaller
// than below, and will not again for a moment.
func (m *mesh) takes(topic string, p peer.ID, below int, now time.Time) bool {
	t := m.topics[topic]
	if t == nil || len(t.peers) >= below || now.Before(t.rest[p]) {
		return false
	}
	if _, in := t.peers[p]; in {
		return false
	}
	t.rest[p] = now.Add(meshPause)
	return true
}

// letsGo reports whether to let p go from the topic's mesh. One at a time, and
// the next only for what it brings from now on: the ways it came may have led
// over the one that went.
func (m *mesh) letsGo(topic string, p peer.ID, now time.Time) bool {
	t := m.topics[topic]
	if t == nil || len(t.peers) <= m.want.most || !t.peers[p] || now.Sub(t.pruned) < meshPause || m.poor(p) {
		return false
	}
	t.pruned = now
	for other := range t.peers {
		t.peers[other] = false
	}
	return true
}

// rest notes that p does not want to be asked for a while.
func (m *mesh) rest(p peer.ID, prune *pb.ControlPrune, now time.Time) {
	t := m.topics[prune.GetTopicID()]
	if t == nil {
		return
	}
	if _, in := t.peers[p]; !in && !now.Before(t.rest[p]) {
		return // it was not in it and was not asked
	}
	asked := min(prune.GetBackoff(), uint64(meshBackoffMost/time.Second))
	t.rest[p] = now.Add(max(time.Duration(asked)*time.Second, gossipPrune))
}

// checkLoss looks now and then whether the mesh is to be thick or thin.
func (m *mesh) checkLoss(now time.Time) {
	if now.Sub(m.checked) < meshPause {
		return
	}
	m.checked = now
	loss := m.loss()
	if loss > lossLittle {
		m.much = now
	}
	switch {
	case loss > lossMuch:
		m.want = thickMesh
	case now.Sub(m.much) > lossGone:
		m.want = thinMesh
	}
}

// sweep forgets who may be asked again: some of them speak when their streams
// have ended, and nobody tells that they went.
func (m *mesh) sweep(now time.Time) {
	if now.Sub(m.swept) < gossipPrune {
		return
	}
	m.swept = now
	for _, t := range m.topics {
		maps.DeleteFunc(t.rest, func(_ peer.ID, until time.Time) bool { return !now.Before(until) })
	}
}

// What follows is told by GossipSub.

func (m *mesh) joined(topic string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.topics[topic] = &topicMesh{peers: make(map[peer.ID]bool), rest: make(map[peer.ID]time.Time)}
}

func (m *mesh) left(topic string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.topics, topic)
}

func (m *mesh) grafted(p peer.ID, topic string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t := m.topics[topic]; t != nil {
		t.peers[p] = false
	}
}

func (m *mesh) pruned(p peer.ID, topic string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.topics[topic]
	if t == nil {
		return
	}
	delete(t.peers, p)
	if until := time.Now().Add(gossipPrune); t.rest[p].Before(until) {
		t.rest[p] = until
	}
}

func (m *mesh) gone(p peer.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.topics {
		delete(t.peers, p)
		delete(t.rest, p)
	}
}

// repeated notes that p brought what was here already.
func (m *mesh) repeated(p peer.ID, topic string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t := m.topics[topic]; t != nil {
		if _, in := t.peers[p]; in {
			t.peers[p] = true
		}
	}
}
