package direct

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// What is acknowledged of one branch of a fork says nothing of the other, until
// comparing has shown that the other side has both.
//
// spec: 07-direct M20
func TestABranchIsNotDeliveredByTheOther(t *testing.T) {
	r := record{Sent: Place{Seq: 12}, Acked: Place{Seq: 10}, Whole: 3}
	for _, c := range []struct {
		seq   uint64
		forks bool
		want  string
	}{{2, true, Delivered}, {5, true, Sent}, {5, false, Delivered}, {11, true, Sent}, {13, true, Queued}} {
		if got := r.state(c.seq, c.forks); got != c.want {
			t.Errorf("%+v: it is %s", c, got)
		}
	}
}

// A stream that could not be opened for long is tried again at once when there
// is something to say.
func TestWhatIsWrittenDoesNotWaitForTheBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for tries, most := range map[int]time.Duration{0: 0, 20: firstDial} {
			p := &Pair{s: new(Service), tries: tries, next: time.Now().Add(lastDial)}
			if err := p.Publish(t.Context(), nil); err != nil || time.Until(p.next) > most {
				t.Errorf("after %d tries it waits for %v, %v", tries, time.Until(p.next), err)
			}
		}
	})
}

// A full queue says that there was too much, not that nobody is there.
func TestASignalThatFindsNoRoom(t *testing.T) {
	p := new(Pair)
	if err := p.Signal(nil); !errors.Is(err, ErrAway) || p.Here() {
		t.Errorf("nobody is there: %v", err)
	}
	p.link = &link{passing: make(chan []byte, maxPassing), wake: make(chan struct{}, 1)}
	for range maxPassing {
		if err := p.Signal(nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Signal(nil); !errors.Is(err, ErrOften) || !p.Here() {
		t.Errorf("a full queue: %v", err)
	}
}
