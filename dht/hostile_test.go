package dht

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	pb "github.com/libp2p/go-libp2p-kad-dht/pb"
	record "github.com/libp2p/go-libp2p-record/pb"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-msgio/pbio"
)

// request sends one message of Kademlia's from node i to j. The answer is nil
// if there is none.
func (s *site) request(i, j int, req *pb.Message) *pb.Message {
	s.t.Helper()
	stream, err := s.nodes[i].NewStream(context.Background(), s.nodes[j].ID(), "/parley/0123abcd/kad/1.0.0")
	if err != nil {
		s.t.Fatal(err)
	}
	defer stream.Reset()
	if err := pbio.NewDelimitedWriter(stream).WriteMsg(req); err != nil {
		s.t.Fatal(err)
	}
	_ = stream.SetReadDeadline(time.Now().Add(5 * time.Second))
	answer := new(pb.Message)
	if err := pbio.NewDelimitedReader(stream, network.MessageSizeMax).ReadMsg(answer); err != nil {
		return nil
	}
	return answer
}

// A node stores its own record with a server and no other, however many keys
// it makes; but what takes the place of a stored one is taken from all. spec: 09-dht §3
//
// spec: 09-dht M1
func TestNobodyStoresAnothersRecord(t *testing.T) {
	onSite(t, func(s *site) {
		s.start(0)
		s.start(1, 0)
		time.Sleep(10 * time.Second)
		id, sign := anna(1)
		r := recordOf(id)
		r.Made, r.Expiry = time.Now(), time.Now().Add(time.Hour)
		key, err := peerKey(id)
		if err != nil {
			t.Fatal(err)
		}
		put := func(key string, value []byte) *pb.Message {
			return &pb.Message{
				Type: pb.Message_PUT_VALUE, Key: []byte(key),
				Record: &record.Record{Key: []byte(key), Value: value},
			}
		}
		if s.request(1, 0, put(key, encoded(t, r, sign))) != nil {
			t.Error("the record of a third is taken")
		}
		if _, err := s.lookup(1, id); !errors.Is(err, ErrNotFound) {
			t.Errorf("the record of a third is found: %v", err)
		}
		own, err := peerKey(s.nodes[1].ID())
		if err != nil {
			t.Fatal(err)
		}
		r.ID = s.nodes[1].ID()
		good := encoded(t, r, s.nodes[1].table.cfg.Sign)
		if s.request(1, 0, put(own, good)) == nil {
			t.Error("the own record is not taken")
		}
		for name, bad := range map[string][]byte{"rubbish": []byte("rubbish"), "a third's signature": encoded(t, r, sign)} {
			if s.request(1, 0, put(own, bad)) != nil {
				t.Errorf("%s is taken", name)
			}
		}
		s.start(2, 0)
		time.Sleep(10 * time.Second) // it has told its own record
		third, err := peerKey(s.nodes[2].ID())
		if err != nil {
			t.Fatal(err)
		}
		r.ID, r.Made = s.nodes[2].ID(), time.Now()
		if s.request(1, 0, put(third, encoded(t, r, s.nodes[2].table.cfg.Sign))) == nil {
			t.Error("the successor of a record that is stored is not taken")
		}
		r.Made = r.Made.Add(-time.Minute)
		if s.request(1, 0, put(third, encoded(t, r, s.nodes[2].table.cfg.Sign))) != nil {
			t.Error("a predecessor is taken")
		}
	})
}

// A provider is who says so himself. spec: 09-dht §4
//
// spec: 09-dht M11
func TestNobodyProvidesForAnother(t *testing.T) {
	onSite(t, func(s *site) {
		s.start(0)
		s.start(1, 0)
		s.start(2, 0)
		time.Sleep(10 * time.Second)
		log := [32]byte{7}
		s.request(1, 0, &pb.Message{
			Type: pb.Message_ADD_PROVIDER, Key: roomKey(log).Hash(),
			ProviderPeers: []*pb.Message_Peer{{Id: []byte(s.nodes[2].ID()), Addrs: [][]byte{s.net.Addr(1).Bytes()}}},
		})
		if s.holds(0, 2, log) {
			t.Error("a third was provided")
		}
		s.request(1, 0, &pb.Message{
			Type: pb.Message_ADD_PROVIDER, Key: roomKey(log).Hash(),
			ProviderPeers: []*pb.Message_Peer{{Id: []byte(s.nodes[1].ID()), Addrs: [][]byte{s.net.Addr(1).Bytes()}}},
		})
		if !s.holds(0, 1, log) {
			t.Error("who says so himself was not")
		}
	})
}

// spec: 09-dht §4
func TestAProviderIsOneWithFewAddresses(t *testing.T) {
	onSite(t, func(s *site) {
		s.start(0)
		s.start(1, 0)
		time.Sleep(10 * time.Second)
		own := func(addrs [][]byte) *pb.Message_Peer {
			return &pb.Message_Peer{Id: []byte(s.nodes[1].ID()), Addrs: addrs}
		}
		addr := s.net.Addr(1).Bytes()
		for i, c := range []struct {
			what  string
			peers []*pb.Message_Peer
			taken bool
		}{
			{"as many addresses as there may be", []*pb.Message_Peer{own(slices.Repeat([][]byte{addr}, maxNamed))}, true},
			{"one more", []*pb.Message_Peer{own(slices.Repeat([][]byte{addr}, maxNamed+1))}, false},
			{"a long address", []*pb.Message_Peer{own([][]byte{addr, make([]byte, maxAddr+1)})}, false},
			{"twice", []*pb.Message_Peer{own([][]byte{addr}), own([][]byte{addr})}, false},
		} {
			log := [32]byte{byte(i)}
			s.request(1, 0, &pb.Message{Type: pb.Message_ADD_PROVIDER, Key: roomKey(log).Hash(), ProviderPeers: c.peers})
			if s.holds(0, 1, log) != c.taken {
				t.Errorf("%s: taken %v", c.what, !c.taken)
			}
		}
	})
}

// A server that lies: the record it gives is another's, or forged. spec: 09-dht §3
//
// spec: 09-dht M2
func TestALyingServerIsNotBelieved(t *testing.T) {
	id, sign := anna(1)
	other, _ := anna(2)
	fresh := func(id peer.ID) Record {
		r := recordOf(id)
		r.Made, r.Expiry = time.Now(), time.Now().Add(time.Hour)
		return r
	}
	for name, c := range map[string]struct {
		id    peer.ID
		value func() []byte
		found bool
	}{
		"the truth":         {id, func() []byte { return encoded(t, fresh(id), sign) }, true},
		"rubbish":           {id, func() []byte { return []byte("rubbish") }, false},
		"another's record":  {other, func() []byte { return encoded(t, fresh(id), sign) }, false},
		"a forged record":   {other, func() []byte { return encoded(t, fresh(other), sign) }, false},
		"an expired record": {id, func() []byte { return encoded(t, recordOf(id), sign) }, false},
	} {
		onSite(t, func(s *site) {
			s.start(0)
			time.Sleep(10 * time.Second)
			asked := s.answerWith(0, c.value())
			s.start(1, 0)
			time.Sleep(10 * time.Second)
			if got, err := s.lookup(1, c.id); (err == nil) != c.found || got != nil && got.ID != c.id || *asked == 0 {
				t.Errorf("%s: %v, %v after %d questions", name, got, err, *asked)
			}
		})
	}
}

// Answers are whatever a server likes to say.
//
// spec: 09-dht M2
func FuzzCheckAnswer(f *testing.F) {
	for _, typ := range []pb.Message_MessageType{pb.Message_PUT_VALUE, pb.Message_GET_VALUE, pb.Message_GET_PROVIDERS, pb.Message_FIND_NODE} {
		var b bytes.Buffer
		err := pbio.NewDelimitedWriter(&b).WriteMsg(&pb.Message{
			Type: typ, Key: []byte("k"), Record: &record.Record{Value: []byte("v")},
			CloserPeers:   slices.Repeat([]*pb.Message_Peer{{}}, maxCloser+1),
			ProviderPeers: []*pb.Message_Peer{{Id: []byte("p"), Addrs: slices.Repeat([][]byte{{}}, maxNamed+1)}},
		})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(int32(typ), b.Bytes())
	}
	f.Fuzz(func(t *testing.T, typ int32, b []byte) {
		req, answer := &pb.Message{Type: pb.Message_MessageType(typ)}, new(pb.Message)
		if pbio.NewDelimitedReader(bytes.NewReader(b), network.MessageSizeMax).ReadMsg(answer) != nil {
			return
		}
		got, err := checkAnswer(req, answer)
		if err != nil {
			return
		}
		if req.Type == pb.Message_PUT_VALUE && got.GetRecord() == nil {
			t.Error("an answer to PUT_VALUE without a record")
		}
		for _, p := range append(got.CloserPeers, got.ProviderPeers...) {
			if len(p.GetAddrs()) > maxNamed || len(got.CloserPeers) > maxCloser || len(got.ProviderPeers) > maxProviders {
				t.Error("more than the bounds")
			}
		}
	})
}

// answerWith has node i answer with a value whatever it is asked for.
func (s *site) answerWith(i int, value []byte) (asked *int) {
	asked = new(int)
	s.nodes[i].SetStreamHandler("/parley/0123abcd/kad/1.0.0", func(stream network.Stream) {
		defer stream.Close()
		in := pbio.NewDelimitedReader(stream, network.MessageSizeMax)
		for req := new(pb.Message); in.ReadMsg(req) == nil; req = new(pb.Message) {
			answer := &pb.Message{Type: req.Type, Key: req.Key}
			if req.Type == pb.Message_GET_VALUE {
				*asked++
				answer.Record = &record.Record{Key: req.Key, Value: value}
			}
			if pbio.NewDelimitedWriter(stream).WriteMsg(answer) != nil {
				return
			}
		}
	})
	return asked
}

// spec: 09-dht §6
func TestWhoAsksTooMuchIsResetAndOthersAreNot(t *testing.T) {
	onSite(t, func(s *site) {
		s.start(0)
		s.start(1, 0)
		s.start(2, 0)
		time.Sleep(10 * time.Second)
		provide := func(i, n int) bool {
			for k := range n {
				s.request(i, 0, &pb.Message{
					Type: pb.Message_ADD_PROVIDER, Key: roomKey([32]byte{byte(k), byte(k >> 8)}).Hash(),
					ProviderPeers: []*pb.Message_Peer{{Id: []byte(s.nodes[i].ID()), Addrs: [][]byte{s.net.Addr(i).Bytes()}}},
				})
			}
			return s.holds(0, i, [32]byte{byte(n - 1), byte((n - 1) >> 8)})
		}
		spent := s.nodes[0].table.budget.puts
		for spent.Take(s.nodes[1].ID(), 1) { // as many as he may
		}
		if provide(1, 1) {
			t.Error("who has told too much is listened to")
		}
		if !provide(2, 1) {
			t.Error("another is not")
		}
		time.Sleep(2 * time.Second)
		if !provide(1, 1) {
			t.Error("he is not listened to later")
		}
	})
}
