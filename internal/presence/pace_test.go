package presence

import (
	"encoding/binary"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/parley-chat/parley/internal/testnet"
)

// However many are online, and however busy their rooms are: all of them
// together send five signals a second. Here is one of them, whose rooms change
// all the time; his share is what is counted.
//
// spec: 05-presence M7
func TestSignalsHaveAFixedRateInAll(t *testing.T) {
	const span, perSecond = 20 * time.Minute, 5.0
	for _, online := range []int{1, 5, 8, 50, 200, 1500} {
		for _, change := range []time.Duration{200 * time.Millisecond, time.Hour} {
			sent := signalsSent(t, online, span, change)
			if all := float64(sent*online) / span.Seconds(); all > perSecond*1.3 || sent == 0 {
				t.Errorf("%d online, a change each %v: %.1f signals a second", online, change, all)
			}
		}
	}
}

// signalsSent counts the signals of one node among so many that are online,
// whose rooms change each so often.
func signalsSent(t *testing.T, online int, span, change time.Duration) (sent int) {
	synctest.Test(t, func(t *testing.T) {
		net := testnet.New(testnet.Config{})
		defer net.Close()
		h, err := libp2p.New(net.Options(0)...)
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		ps, err := pubsub.NewGossipSub(t.Context(), h)
		if err != nil {
			t.Fatal(err)
		}
		author, sign := signer(1)
		reg := prometheus.NewRegistry()
		s, err := Start(Config{
			Host: h, PubSub: ps, Tag: "test", Network: testNetwork, Author: author, Sign: sign, Registerer: reg, Now: time.Now,
			Local: func() Local { return Local{Rooms: []Room{{Name: "lobby"}}} },
		})
		if err != nil {
			t.Fatal(err)
		}
		s.mu.Lock()
		for i := range online - 1 {
			sig := &Signal{Time: time.Now().UnixMilli(), Seq: 1, Interval: MaxPace}
			binary.BigEndian.PutUint32(sig.Author[:], uint32(i)+1)
			apply(s.table, time.Now(), sig, nil, true)
		}
		s.mu.Unlock()
		before := counted(t, reg)
		for began := time.Now(); time.Since(began) < span; {
			time.Sleep(min(change, span))
			s.Touch()
		}
		sent = counted(t, reg) - before
		s.Close()
	})
	return sent
}

// counted is how many signals were sent.
func counted(t *testing.T, reg *prometheus.Registry) int {
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "parley_presence_signals_sent_total" {
			return int(f.GetMetric()[0].GetCounter().GetValue())
		}
	}
	t.Fatal("signals are not counted")
	return 0
}
