package chat_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/security/noise"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/node"
	"github.com/parley-chat/parley/node/nodetest"
)

// rawConn is a stream as Noise wants it.
type rawConn struct{ network.Stream }

func (rawConn) LocalAddr() net.Addr  { return &net.UnixAddr{} }
func (rawConn) RemoteAddr() net.Addr { return &net.UnixAddr{} }

// whisper opens a sealed stream from a node without a messenger, as a stranger
// who keeps to docs/protocol would.
func whisper(t *testing.T, from *node.Node, to peer.ID, purpose string) (sec.SecureConn, *bufio.Reader) {
	t.Helper()
	n := from.Network()
	s, err := from.Host().NewStream(t.Context(), to, protocol.ID("/parley/"+n.Tag+"/direct/1.0.0"))
	if err != nil {
		t.Fatal(err)
	}
	tr, err := noise.New(noise.ID, from.Host().Peerstore().PrivKey(from.ID()), nil)
	if err != nil {
		t.Fatal(err)
	}
	st, err := tr.WithSessionOptions(noise.Prologue(append([]byte("parley/direct/1"), n.ID[:]...)))
	if err != nil {
		t.Fatal(err)
	}
	c, err := st.SecureOutbound(context.Background(), rawConn{s}, to)
	if err != nil {
		t.Fatal(err)
	}
	if err := wire.WriteFrame(c, []byte(purpose)); err != nil {
		t.Fatal(err)
	}
	return c, bufio.NewReader(c)
}

// ended reads until the other gives the stream up.
func ended(t *testing.T, in *bufio.Reader) {
	t.Helper()
	for {
		if _, err := wire.ReadFrame(in, 1<<20); err != nil {
			return
		}
	}
}

func frame(kind byte, body ...[]byte) []byte { return append([]byte{kind}, bytes.Join(body, nil)...) }

func authorOf(t *testing.T, p peer.ID) event.Author {
	t.Helper()
	a, err := wire.Author(p)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// sealFor makes a batch of one message of node n in a log.
func sealFor(t *testing.T, n *node.Node, log event.LogID, text string) *event.Batch {
	t.Helper()
	return sealAt(t, n, log, text, time.Now())
}

func sealAt(t *testing.T, n *node.Node, log event.LogID, text string, at time.Time) *event.Batch {
	t.Helper()
	payload, err := event.Message{Type: event.TypeText, Data: []byte(text)}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	b, err := event.Seal(log, authorOf(t, n.ID()), 0, event.ID{}, []event.Draft{{
		HLC: event.HLCAt(at), Kind: event.KindMessage, Payload: payload,
	}}, n.Sign)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What is not one of the two's, or no frame, ends the stream, is counted and
// stored nowhere; the honest go on, and the connection stays.
//
// spec: 07-direct M2, M10, M12, M18
func TestAStrangersFramesAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gatherBut(t, 3, 2, nodetest.Config{})
		evil, victim := p.Nodes[2], p.Nodes[0]
		self, a, b := authorOf(t, evil.ID()), authorOf(t, victim.ID()), authorOf(t, p.Nodes[1].ID())
		network := victim.Network().ID
		ours, theirs := event.DirectLog(network, self, a), event.DirectLog(network, a, b)
		nothing := frame(1, make([]byte, 120))
		place := append([]byte{0, 0, 0, 0, 0, 0, 0, 1}, bytes.Repeat([]byte{7}, 32)...)
		for name, frames := range map[string][][]byte{
			"garbage":                  {[]byte("garbage")},
			"nothing":                  {{}},
			"events before positions":  {frame(2, sealFor(t, evil, ours, "early").Payload())},
			"positions twice":          {nothing, nothing},
			"no events":                {nothing, frame(2, []byte("no payload"))},
			"another log of the other": {nothing, frame(2, sealFor(t, evil, theirs, "not yours").Payload())},
			"a third author":           {nothing, frame(2, sealFor(t, p.Nodes[1], ours, "of a third").Payload())},
			"an ack of a third":        {nothing, frame(3, b[:], place)},
			"an ack of oneself":        {nothing, frame(3, self[:], place)},
		} {
			c, in := whisper(t, evil, victim.ID(), "chat")
			for _, f := range frames {
				if wire.WriteFrame(c, f) != nil {
					break // given up already
				}
			}
			ended(t, in)
			if got := len(told(t, p.ms[0], evil.ID())) + len(p.told(0, 1)); got != 0 {
				t.Fatalf("%s: %d events are stored", name, got)
			}
		}
		if got := p.metric(0, "parley_direct_malformed_total", ""); got != 9 {
			t.Errorf("%d streams counted as malformed, of 9", got)
		}
		p.tell(1, 0, "hello")
		p.waitTold(5*time.Second, 0, 1, "hello")
		p.WaitAdmitted(time.Second)
	})
}

func told(t *testing.T, m *chat.Messenger, with peer.ID) (out []chat.Message) {
	t.Helper()
	for msg, err := range m.Direct(with).History(t.Context(), chat.Query{All: true}) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, msg)
	}
	return out
}

// Acknowledging what was never sent makes nothing delivered; a flood of it is
// bounded by a budget.
//
// spec: 07-direct M19
func TestAcksOfWhatWasNeverSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gatherBut(t, 3, 2, nodetest.Config{})
		evil, victim := p.Nodes[2], p.Nodes[0]
		a := authorOf(t, victim.ID())
		id, err := p.ms[0].Direct(evil.ID()).Send(t.Context(), chat.Text("hello"))
		if err != nil {
			t.Fatal(err)
		}
		c, in := whisper(t, evil, victim.ID(), "chat")
		if err := wire.WriteFrame(c, frame(1, make([]byte, 120))); err != nil {
			t.Fatal(err)
		}
		sent := 0
		for ; sent < 10_000; sent++ {
			ack := frame(3, a[:], []byte{0, 0, 0, 0, 0, 0, 0, 1}, bytes.Repeat([]byte{byte(sent), 1, byte(sent >> 8), 3}, 8))
			if wire.WriteFrame(c, ack) != nil {
				break
			}
		}
		ended(t, in)
		if m := told(t, p.ms[0], evil.ID())[0]; m.ID != id || m.State == chat.StateDelivered || m.State == chat.StateRead {
			t.Errorf("after acknowledgements of other ids it is %s", m.State)
		}
		if got := p.metric(0, "parley_direct_useless_total", ""); got < 1000 || got > 2500 {
			t.Errorf("%d of %d were looked at", got, sent)
		}
		p.tell(1, 0, "hello")
		p.waitTold(5*time.Second, 0, 1, "hello")
	})
}

// What is not stored is not acknowledged, and costs the sender: what is older
// than the receiver keeps, and what is from the future.
//
// spec: 07-direct M16
func TestWhatIsNotStoredIsNotAcknowledged(t *testing.T) {
	long(t)
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 2, nodetest.Config{})
		p.keep = map[int]chat.Retention{0: {MaxAge: time.Hour}}
		p.Restart(0)
		p.WaitAdmitted(time.Minute)
		p.tell(1, 0, "hello")
		p.waitReach(time.Minute, 1, 0, chat.StateDelivered)
		time.Sleep(3 * time.Hour)
		if err := p.ms[1].Close(); err != nil { // the node whispers for itself
			t.Fatal(err)
		}
		them := event.DirectLog(p.Nodes[0].Network().ID, authorOf(t, p.Nodes[0].ID()), authorOf(t, p.Nodes[1].ID()))
		for what, at := range map[string]time.Duration{"old": -2 * time.Hour, "early": time.Hour} {
			before := p.metric(0, "parley_direct_useless_total", "")
			c, in := whisper(t, p.Nodes[1], p.Nodes[0].ID(), "chat")
			acked := make(chan bool, 1)
			go func() { // ends with the stream
				for {
					b, err := wire.ReadFrame(in, 1<<20)
					if err != nil || b[0] == 3 {
						acked <- err == nil
						return
					}
				}
			}()
			for _, f := range [][]byte{frame(1, make([]byte, 120)), frame(2, sealAt(t, p.Nodes[1], them, what, time.Now().Add(at)).Payload())} {
				if err := wire.WriteFrame(c, f); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(5 * time.Second)
			_ = c.Close() // it may have ended
			if <-acked {
				t.Errorf("%s: acknowledged", what)
			}
			if p.metric(0, "parley_direct_useless_total", "") == before {
				t.Errorf("%s: costs nothing", what)
			}
		}
	})
}

// Whoever asks for the log of a chat that is not his is told that there is
// none, over bare and over sealed streams, by id and by comparing.
//
// spec: 04-delivery M17, M18
// spec: 07-direct M6
func TestAThirdCannotFetchADirectLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gatherBut(t, 3, 2, nodetest.Config{})
		evil, victim := p.Nodes[2], p.Nodes[0]
		id := p.tell(0, 1, "for you alone")
		p.waitReach(5*time.Second, 0, 1, chat.StateDelivered)
		log := p.direct(0, 1).Log()
		fetch := append(append([]byte{0x0a, 32}, log[:]...), append([]byte{0x12, 32}, id[:]...)...)
		sync := append([]byte{0x0a, 32}, log[:]...)
		for purpose, req := range map[string][]byte{"fetch": fetch, "sync": sync} {
			s, err := evil.Host().NewStream(t.Context(), victim.ID(), wire.LogProtocol(victim.Network().Tag, purpose))
			if err != nil {
				t.Fatal(err)
			}
			if err := wire.WriteFrame(s, req); err != nil {
				t.Fatal(err)
			}
			if got, err := wire.ReadFrame(bufio.NewReader(s), 1<<10); err != nil || !slices.Equal(got, []byte{1}) {
				t.Errorf("bare %s: %v, %v", purpose, got, err)
			}
			c, in := whisper(t, evil, victim.ID(), purpose)
			if err := wire.WriteFrame(c, req); err != nil {
				t.Fatal(err)
			}
			if got, err := wire.ReadFrame(in, 1<<10); err != nil || !slices.Equal(got, []byte{1}) {
				t.Errorf("sealed %s: %v, %v", purpose, got, err)
			}
		}
		// Not even one of the two is served it over a bare stream.
		s, err := p.Nodes[1].Host().NewStream(t.Context(), victim.ID(), wire.LogProtocol(victim.Network().Tag, "fetch"))
		if err != nil {
			t.Fatal(err)
		}
		if err := wire.WriteFrame(s, fetch); err != nil {
			t.Fatal(err)
		}
		if got, err := wire.ReadFrame(bufio.NewReader(s), 1<<10); err != nil || !slices.Equal(got, []byte{1}) {
			t.Errorf("bare fetch of one of the two: %v, %v", got, err)
		}
	})
}

// A third who is connected with both and joins every topic there is sees
// nothing of what two say to each other.
//
// spec: 07-direct M1
func TestNothingOfADirectChatIsSeenByAThird(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 3, nodetest.Config{})
		topic := wire.LogTopic(p.Nodes[2].Network().Tag, p.direct(0, 1).Log())
		joined, err := p.Nodes[2].PubSub().Join(topic)
		if err != nil {
			t.Fatal(err)
		}
		sub, err := joined.Subscribe()
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Cancel()
		time.Sleep(5 * time.Second)
		for i := range 50 {
			p.tell(0, 1, fmt.Sprint("for you alone ", i))
		}
		p.waitReach(5*time.Second, 0, 1, chat.StateDelivered)
		time.Sleep(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if msg, err := sub.Next(ctx); err == nil {
			t.Errorf("gossip carries %d bytes of it", len(msg.Data))
		}
		if peers := p.Nodes[0].PubSub().ListPeers(topic); len(peers) != 1 {
			t.Errorf("in the topic of the chat are %v", peers) // the third alone
		}
		if msgs := p.told(2, 0); len(msgs) != 0 {
			t.Errorf("the third has %d messages", len(msgs))
		}
		if n, err := p.ms[2].Directs(t.Context()); err != nil || len(n) != 0 {
			t.Errorf("the third has chats: %v, %v", n, err)
		}
	})
}

// One side is put back to an older copy of its directory and writes before the
// two meet: both branches are kept and shown by both, and nothing is lost.
//
// spec: 07-direct M15
func TestARestoredSideForksAndLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 2, nodetest.Config{})
		for i := range 3 {
			p.tell(0, 1, fmt.Sprint("kept ", i))
		}
		p.waitReach(5*time.Second, 0, 1, chat.StateDelivered)
		p.Stop(0)
		copied := t.TempDir()
		copyDir(t, copied, p.Dir(0))
		p.Start(0)
		p.WaitAdmitted(10 * time.Minute)
		p.tell(0, 1, "lost")
		p.tell(1, 0, "an answer")
		p.waitReach(5*time.Second, 0, 1, chat.StateDelivered)
		p.waitReach(5*time.Second, 1, 0, chat.StateDelivered)
		p.Stop(0)
		if err := os.RemoveAll(p.Dir(0)); err != nil {
			t.Fatal(err)
		}
		copyDir(t, p.Dir(0), copied)
		other := p.ms[1].ID()
		p.Partition([]int{0}, []int{1})
		p.Start(0)
		if _, err := p.ms[0].Direct(other).Send(t.Context(), chat.Text("again")); err != nil {
			t.Fatal(err)
		}
		p.Heal()
		p.WaitAdmitted(10 * time.Minute)
		p.Wait(2*time.Minute, "both have both branches", func() error {
			a, b := p.told(0, 1), p.told(1, 0)
			if len(a) != 6 || !slices.Equal(ids(a), ids(b)) {
				return fmt.Errorf("%q and %q", texts(a), texts(b))
			}
			return nil
		})
		forks := 0
		for _, m := range p.told(1, 0) {
			if m.Fork {
				forks++
			}
		}
		if forks != 2 {
			t.Errorf("%d events are shown as a fork", forks)
		}
		p.tell(0, 1, "and on")
		p.waitReach(time.Minute, 0, 1, chat.StateDelivered)
	})
}
