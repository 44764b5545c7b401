package delivery

import (
	"testing"
	"time"
)

// paced returns the pace of a room of some others, whose number was counted at now.
func paced(peers int, now time.Time) *pace {
	return &pace{l: &Log{}, peers: peers, counted: now}
}

func TestAQuietAuthorNeverWaits(t *testing.T) {
	now := time.Unix(1, 0)
	p := paced(9, now)
	for i := range 50 { // 90 a second, with a jitter that the pace must not add up
		at := now.Add(time.Duration(i) * 11 * time.Millisecond).Add(time.Duration(i%3) * 4 * time.Millisecond)
		if wait := p.next(at); wait > 0 {
			t.Fatalf("message %d of a quiet author is followed by a wait of %v", i, wait)
		}
	}
}

func TestABusyAuthorIsPaced(t *testing.T) {
	for peers, pause := range map[int]time.Duration{1: 10 * time.Millisecond, 50: 10 * time.Millisecond, 100: 20 * time.Millisecond, 500: 25 * time.Millisecond} {
		now := time.Unix(1, 0)
		p := paced(peers, now)
		begun, batches := now, 0
		for ; now.Sub(begun) < 900*time.Millisecond; batches++ { // it counts the peers again after a second
			now = now.Add(max(0, p.next(now)))
		}
		if want := int(900*time.Millisecond/pause) + burst - 1; batches > want+1 || batches < want-1 {
			t.Errorf("%d peers: %d batches in 900 ms, not %d", peers, batches, want)
		}
	}
}

func TestNobodyNeedsNoPace(t *testing.T) {
	now := time.Unix(1, 0)
	alone, direct := paced(0, now), &pace{l: &Log{direct: true}}
	for range 100 {
		if w := max(alone.next(now), direct.next(now)); w > 0 {
			t.Fatalf("a wait of %v", w)
		}
	}
}
