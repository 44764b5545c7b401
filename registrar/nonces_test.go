package registrar

import (
	"errors"
	"testing"
	"time"
)

// spec: 11-registrars M6
func TestANonceIsGoodOnceAndForAMinute(t *testing.T) {
	now := time.Now()
	n := newNonces(now)
	b := n.draw(now)
	if len(b) != nonceSize {
		t.Fatalf("%d bytes", len(b))
	}
	if err := n.check(b, now.Add(nonceLife-1)); err != nil {
		t.Error(err)
	}
	if err := n.check(b, now.Add(nonceLife)); !errors.Is(err, errNonceExpired) {
		t.Errorf("a minute later: %v", err)
	}
	if err := n.use(b, now); err != nil {
		t.Error(err)
	}
	if err := n.use(b, now); !errors.Is(err, errNonceUsed) {
		t.Errorf("used twice: %v", err)
	}
	for bit := range 8 * len(b) {
		b[bit/8] ^= 1 << (bit % 8)
		if err := n.check(b, now); !errors.Is(err, errNonceForm) {
			t.Fatalf("bit %d changed: %v", bit, err)
		}
		b[bit/8] ^= 1 << (bit % 8)
	}
	if err := newNonces(now).check(b, now); !errors.Is(err, errNonceForm) {
		t.Errorf("another registrar's: %v", err)
	}
}

func TestUsedNoncesAreBoundedAndForgotten(t *testing.T) {
	now := time.Now()
	n := newNonces(now)
	for range maxUsedNonces {
		if err := n.use(n.draw(now), now); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.use(n.draw(now), now); !errors.Is(err, errNonceFull) {
		t.Errorf("one more: %v", err)
	}
	now = now.Add(nonceLife)
	if err := n.use(n.draw(now), now); err != nil {
		t.Errorf("a minute later: %v", err)
	}
	if len(n.used) != 1 {
		t.Errorf("%d are remembered", len(n.used))
	}
}
