package lan

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

func testLoop(found func(peer.AddrInfo)) *loop {
	return &loop{
		svc: New(nil), self: Self{ID: testPeer("self"), Tag: testTag}, found: found, names: testNames(),
		inbox: make(chan received, inboxSize),
		links: map[int]*link{7: {
			iface: iface{index: 7, name: "eth0", prefixes: usablePrefixes("10.1.2.9/24")},
			addrs: addrs("/ip4/10.1.2.9/tcp/7330"),
		}},
	}
}

func (l *loop) hear(t *testing.T, packet []byte, o origin) {
	t.Helper()
	r := reader{svc: l.svc, names: l.names, inbox: l.inbox, budget: newBudget(time.Now())}
	r.take(packet, o, time.Now())
	select {
	case m := <-l.inbox:
		l.handle(m)
	default:
	}
}

// spec: 01-network M29
func TestHeardOnALink(t *testing.T) {
	var got []peer.AddrInfo
	l := testLoop(func(p peer.AddrInfo) { got = append(got, p) })
	packet := l.names.answer(testRecord())
	l.hear(t, packet, origin{index: 7})
	if len(got) != 1 || got[0].ID != testPeer("a") || len(got[0].Addrs) != 2 {
		t.Fatalf("found %v", got) // its IPv6 address is not of this link
	}
	l.hear(t, packet, origin{index: 8})
	l.hear(t, packet, origin{from: netip.MustParseAddr("10.9.9.9")})
	if len(got) != 1 {
		t.Error("a packet from an interface not listened to is taken")
	}
	l.hear(t, packet, origin{from: netip.MustParseAddr("10.1.2.3")})
	if len(got) != 2 {
		t.Error("the link is not known by the sender where the system does not tell it")
	}
	if st := l.svc.Status(); st.Heard != 2 || st.Refused != 0 {
		t.Errorf("status %+v", st)
	}
}

func TestOneselfIsNoPeer(t *testing.T) {
	l := testLoop(func(p peer.AddrInfo) { t.Errorf("found %v", p) })
	r := testRecord()
	r.id = l.self.ID
	l.hear(t, l.names.answer(r), origin{index: 7})
	if st := l.svc.Status(); st.Heard != 0 || st.Refused != 0 {
		t.Errorf("status %+v", st)
	}
}

func TestRefusedIsCounted(t *testing.T) {
	l := testLoop(func(p peer.AddrInfo) { t.Errorf("found %v", p) })
	r := testRecord()
	r.addrs = addrs("/ip4/8.8.8.8/tcp/7330")
	l.hear(t, l.names.answer(r), origin{index: 7})
	l.hear(t, txtPacket(t, l.names, []string{"x"}), origin{index: 7})
	l.hear(t, append(slices.Clone(l.names.needle), "rubbish"...), origin{index: 7})
	if st := l.svc.Status(); st.Refused != 3 || st.Heard != 0 {
		t.Errorf("status %+v", st)
	}
}

func TestOtherNetworksAreNoted(t *testing.T) {
	l := testLoop(func(p peer.AddrInfo) { t.Errorf("found %v", p) })
	for i := range 40 {
		n := newNames([]string{"deadbeef", "0badcafe"}[i%2])
		n.instance = "x"
		l.hear(t, n.answer(testRecord()), origin{index: 7})
	}
	if st := l.svc.Status(); !slices.Equal(st.OtherNetworks, []string{"0badcafe", "deadbeef"}) {
		t.Errorf("status %+v", st)
	}
}

// spec: 01-network M30
func TestAnswersAreRare(t *testing.T) {
	l := testLoop(nil)
	k := l.links[7]
	now := time.Now()
	l.plan(k, now)
	if d := k.answer.Sub(now); d < answerMin || d > answerMin+answerSpan {
		t.Errorf("the answer comes after %v", d)
	}
	planned := k.answer
	l.plan(k, now)
	if k.answer != planned {
		t.Error("a second question moves the answer")
	}
	k.answer, k.answered = time.Time{}, now
	l.plan(k, now)
	if k.answer != now.Add(answerEvery) {
		t.Errorf("the next answer comes after %v", k.answer.Sub(now))
	}
}

// spec: 01-network M30
func TestKnownAnswerSilences(t *testing.T) {
	l := testLoop(nil)
	l.handle(received{origin{index: 7}, message{asks: true, known: []string{l.names.instanceName()}}})
	if !l.links[7].answer.IsZero() {
		t.Error("an asker that knows the answer gets it again")
	}
	l.handle(received{origin{index: 7}, message{asks: true, known: []string{"another." + l.names.service}}})
	if l.links[7].answer.IsZero() {
		t.Error("a question is not answered")
	}
}

func TestBudget(t *testing.T) {
	now := time.Now()
	b := newBudget(now)
	noisy, quiet := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	taken := 0
	for range 1000 {
		if b.take(noisy, now) {
			taken++
		}
	}
	if taken != sourceBurst {
		t.Errorf("%d packets of one sender were taken", taken)
	}
	if !b.take(quiet, now) {
		t.Error("a noisy sender silences a quiet one")
	}
	if !b.take(noisy, now.Add(time.Second)) {
		t.Error("a sender's budget does not come back")
	}
	taken = 0
	forged := netip.MustParseAddr("10.1.0.0")
	for range 10_000 {
		if forged = forged.Next(); b.take(forged, now) {
			taken++
		}
	}
	if taken > allBurst || len(b.sources) > maxSources {
		t.Errorf("%d packets of forged senders were taken, %d are remembered", taken, len(b.sources))
	}
	later := now.Add(time.Minute)
	if !b.take(quiet, later) || !b.take(forged.Next(), later) || len(b.sources) > maxSources {
		t.Error("a flood leaves no room after it")
	}
}

func TestReaderKeepsToTheBudget(t *testing.T) {
	l := testLoop(nil)
	now := time.Now()
	r := reader{svc: l.svc, names: l.names, inbox: make(chan received, 1000), budget: newBudget(now)}
	noisy := origin{index: 7, from: netip.MustParseAddr("10.1.2.3")}
	for range 200 {
		r.take(l.names.question(), noisy, now)
	}
	if st := l.svc.Status(); st.Refused != 200-sourceBurst {
		t.Errorf("status %+v", st)
	}
	other := newNames("deadbeef").question()
	r.take(other, noisy, now)
	if st := l.svc.Status(); st.OtherNetworks != nil {
		t.Error("packets of another network are looked at beyond the budget")
	}
}

func TestFullInboxDropsAndCounts(t *testing.T) {
	l := testLoop(nil)
	r := reader{svc: l.svc, names: l.names, inbox: make(chan received), budget: newBudget(time.Now())}
	r.take(l.names.question(), origin{index: 7}, time.Now())
	if st := l.svc.Status(); st.Refused != 1 {
		t.Errorf("status %+v", st)
	}
}

// Without sockets a poll sends nothing; what it plans shows that sleep sets
// everything off again.
func TestSleepSetsEverythingOff(t *testing.T) {
	if jumped(2*time.Second, time.Second) || !jumped(time.Hour, time.Second) {
		t.Error("sleep is not told from a late timer")
	}
	if jumped(-time.Hour, time.Second) {
		t.Error("a clock set back is taken for sleep")
	}
	l := testLoop(nil)
	l.self.Listen = listenOn("/ip4/0.0.0.0/tcp/7330")
	now := time.Now()
	l.poll(now, false)
	first := l.names.instance
	l.poll(now, false)
	if l.names.instance != first {
		t.Error("a poll without a change sets off announcements")
	}
	l.poll(now, true)
	if l.names.instance == first {
		t.Error("waking up sets off no announcement")
	}
}
