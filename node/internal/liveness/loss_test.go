package liveness

import (
	"io"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/parley-chat/parley/internal/testnet"
)

// A packet that is followed by others is missed when those are acknowledged.
func TestLossIsSeenAndForgotten(t *testing.T) {
	inPair(t, testnet.Config{}, true, func(t *testing.T, p *pair) {
		s := p.sink(t)
		talk := func(d time.Duration) {
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
				if _, err := s.Write(make([]byte, 300)); err != nil {
					t.Fatal(err)
				}
			}
		}
		talk(10 * time.Second)
		if got := p.monitor.Loss(); got != 0 {
			t.Errorf("%v is lost on a clean link", got)
		}
		p.net.SetLoss(0.2)
		talk(3 * time.Second)
		if all, one := p.monitor.Loss(), p.monitor.LossTo(p.b.ID()); all < 0.02 || one != all {
			t.Errorf("at 20 %% loss %v is seen over all, %v to the only peer", all, one)
		}
		p.net.SetLoss(0)
		talk(30 * time.Second)
		if got := p.monitor.Loss(); got > 0.01 {
			t.Errorf("%v is still seen half a minute after the last loss", got)
		}
	})
}

// sink opens a stream from a to b, who swallows what comes.
func (p *pair) sink(t *testing.T) network.Stream {
	t.Helper()
	const id = "/sink"
	p.b.SetStreamHandler(id, func(s network.Stream) { _, _ = io.Copy(io.Discard, s) })
	s, err := p.a.NewStream(t.Context(), p.b.ID(), id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A link full of data is no lossy one.
func TestABusyLinkSeemsClean(t *testing.T) {
	inPair(t, testnet.Config{}, true, func(t *testing.T, p *pair) {
		s := p.sink(t)
		_ = s.SetWriteDeadline(time.Now().Add(10 * time.Second))
		var err error
		for buf := make([]byte, 64<<10); err == nil; {
			_, err = s.Write(buf)
		}
		if got := p.monitor.Loss(); got > 0.01 {
			t.Errorf("%v seems lost", got)
		}
		if sent := p.monitor.losses.sent; sent < 1000 {
			t.Errorf("only %v packets were sent", sent)
		}
	})
}

func TestASingleLostPacketIsNoLoss(t *testing.T) {
	var l losses
	now := time.Now()
	l.add(1, 1, now)
	if l.share() > 0.02 {
		t.Errorf("one of one is %v", l.share())
	}
	l.add(0, -2, now) // both came after all
	if l.share() != 0 {
		t.Errorf("what came late is %v", l.share())
	}
	l.add(100, 50, now.Add(time.Minute))
	if got := l.share(); got < 0.3 || l.sent > 101 {
		t.Errorf("%v of %v", got, l.sent)
	}
}
