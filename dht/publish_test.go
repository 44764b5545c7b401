package dht

import (
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-msgio/pbio"
)

// answerBy has node i answer by f, and reset the stream where that is nil.
func (s *site) answerBy(i int, f func(*pb.Message) *pb.Message) {
	s.nodes[i].SetStreamHandler("/parley/0123abcd/kad/1.0.0", func(stream network.Stream) {
		defer stream.Close()
		in := pbio.NewDelimitedReader(stream, network.MessageSizeMax)
		for req := new(pb.Message); in.ReadMsg(req) == nil; req = new(pb.Message) {
			answer := f(req)
			if answer == nil {
				_ = stream.Reset()
				return
			}
			if req.Type == pb.Message_ADD_PROVIDER {
				continue
			}
			if pbio.NewDelimitedWriter(stream).WriteMsg(answer) != nil {
				return
			}
		}
	})
}

// spec: 09-dht §3
func TestAPeerThatComesAndGoesDelaysNothing(t *testing.T) {
	onSite(t, func(s *site) {
		log := [32]byte{7}
		s.start(0)
		s.start(1, 0)
		s.start(2)
		time.Sleep(10 * time.Second)
		s.nodes[0].table.Provide(log)
		for range 10 {
			s.connect(2, 0)
			time.Sleep(500 * time.Millisecond)
			_ = s.nodes[2].Network().ClosePeer(s.nodes[0].ID())
			time.Sleep(500 * time.Millisecond)
		}
		if !s.holds(1, 0, log) {
			t.Error("a server has not been told of the room for 10 s")
		}
	})
}

// One server, which names in each answer nodes that never answer: every one of
// them costs who asks a dial. spec: 09-dht §4
func TestInventedServersDelayLittle(t *testing.T) {
	onSite(t, func(s *site) {
		const rooms = 20
		var mu sync.Mutex // of rng
		rng := rand.New(rand.NewPCG(6, 6))
		s.start(0)
		time.Sleep(10 * time.Second)
		told := make(chan string, 10*rooms)
		s.answerBy(0, func(req *pb.Message) *pb.Message {
			answer := &pb.Message{Type: req.Type, Key: req.Key, Record: req.Record}
			if req.Type == pb.Message_ADD_PROVIDER {
				told <- string(req.Key)
				return answer
			}
			mu.Lock()
			defer mu.Unlock()
			for range 64 {
				answer.CloserPeers = append(answer.CloserPeers, &pb.Message_Peer{
					Id: []byte(somebody(rng)), Addrs: [][]byte{s.net.Addr(99).Bytes()},
				})
			}
			return answer
		})
		for i := range rooms {
			if i == 0 {
				s.start(1, 0)
			}
			s.nodes[1].table.Provide([32]byte{byte(i)})
		}
		time.Sleep(time.Minute)
		var keys []string
		for range len(told) {
			keys = append(keys, <-told)
		}
		slices.Sort(keys)
		if got := len(slices.Compact(keys)); got != rooms {
			t.Errorf("after a minute the server was told of %d rooms of %d", got, rooms)
		}
	})
}

// What no server took is not taken for told. spec: 09-dht §4
func TestWhatIsRefusedIsToldAgainSoon(t *testing.T) {
	onSite(t, func(s *site) {
		s.start(0)
		time.Sleep(10 * time.Second)
		var mu sync.Mutex
		asked, refuse := make(map[pb.Message_MessageType]int), true
		s.answerBy(0, func(req *pb.Message) *pb.Message {
			mu.Lock()
			defer mu.Unlock()
			asked[req.Type]++
			if told := req.Type == pb.Message_ADD_PROVIDER || req.Type == pb.Message_PUT_VALUE; told && refuse {
				return nil
			}
			return &pb.Message{Type: req.Type, Key: req.Key, Record: req.Record}
		})
		s.start(1, 0).table.Provide([32]byte{7})
		time.Sleep(firstAgain - 15*time.Second)
		mu.Lock()
		defer mu.Unlock()
		for _, typ := range []pb.Message_MessageType{pb.Message_ADD_PROVIDER, pb.Message_PUT_VALUE} {
			if asked[typ] < 3 {
				t.Errorf("%v was refused and tried %d times in 45 s", typ, asked[typ])
			}
		}
		refuse = false
		clear(asked)
		mu.Unlock()
		time.Sleep(firstAgain)
		mu.Lock()
		for _, typ := range []pb.Message_MessageType{pb.Message_ADD_PROVIDER, pb.Message_PUT_VALUE} {
			if asked[typ] != 1 {
				t.Errorf("%v is taken and was told %d times in a minute", typ, asked[typ])
			}
		}
	})
}

// What is done at one time is not done at one time again, and none of it late.
// spec: 09-dht §4
func TestWhatIsDoneAgainSpreads(t *testing.T) {
	now := time.Now()
	soonest, latest := time.Hour, time.Duration(0)
	for range 200 {
		k := task{ok: true}
		k.done(now, true, firstSearch)
		soonest, latest = min(soonest, k.next.Sub(now)), max(latest, k.next.Sub(now))
		for range 20 {
			k.done(now, true, firstSearch)
		}
		if again := k.next.Sub(now); again > refresh || again < refresh*3/4 {
			t.Fatalf("done again after %v in the end", again)
		}
	}
	if latest > firstSearch || soonest < firstSearch*3/4 || latest-soonest < firstSearch/8 {
		t.Errorf("done again after %v to %v", soonest, latest)
	}
}

func TestWhatWasNeverToldComesFirst(t *testing.T) {
	now := time.Now()
	tab := &Table{rooms: map[[32]byte]*room{
		{1}: {provide: task{next: now.Add(-time.Hour), ok: true}, search: task{next: now.Add(-time.Minute), ok: true}},
		{2}: {provide: task{next: now.Add(-time.Second)}, search: task{next: now.Add(time.Hour)}},
		{3}: {search: task{busy: true}},
	}, self: task{next: now.Add(time.Hour)}}
	want := []*task{&tab.rooms[[32]byte{3}].provide, &tab.rooms[[32]byte{2}].provide, &tab.rooms[[32]byte{1}].provide, &tab.rooms[[32]byte{1}].search}
	for i, k := range want {
		if j, ok := tab.urgent(); !ok || j.task != k || j.do == nil {
			t.Fatalf("%d: not the most urgent", i)
		}
	}
	if _, ok := tab.urgent(); ok {
		t.Error("what is not due is done")
	}
	if got := tab.next(); got < 59*time.Minute && got > refresh || got <= settle {
		t.Errorf("next after %v", got)
	}
}

// Of two who provide a room one may stop, and only they.
func TestARoomIsProvidedUntilAllWithdraw(t *testing.T) {
	log := [32]byte{7}
	tab := &Table{rooms: make(map[[32]byte]*room), wake: make(chan struct{}, 1)}
	tab.Provide(log)
	tab.Provide(log)
	tab.Withdraw(log)
	tab.Withdraw([32]byte{8})
	if tab.rooms[log] == nil {
		t.Error("withdrawn for both")
	}
	tab.Withdraw(log)
	if len(tab.rooms) > 0 {
		t.Error("provided for nobody")
	}
}

// spec: 09-dht §4
func TestAtMostEightPublish(t *testing.T) {
	onSite(t, func(s *site) {
		s.start(0)
		time.Sleep(10 * time.Second)
		var now, most atomic.Int64
		s.answerBy(0, func(req *pb.Message) *pb.Message {
			if req.Type == pb.Message_GET_PROVIDERS {
				if n := now.Add(1); n > most.Load() {
					most.Store(n)
				}
				time.Sleep(500 * time.Millisecond)
				now.Add(-1)
			}
			return &pb.Message{Type: req.Type, Key: req.Key, Record: req.Record}
		})
		v := s.start(1, 0)
		for i := range 30 {
			v.table.Provide([32]byte{byte(i)})
		}
		time.Sleep(time.Minute)
		if got := most.Load(); got < 2 || got > workers {
			t.Errorf("%d searches at once", got)
		}
	})
}
