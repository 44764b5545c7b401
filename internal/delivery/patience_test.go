package delivery

import (
	"testing"
	"time"
)

func TestPatienceGrowsWithHasteAndShrinksWithTime(t *testing.T) {
	var p patience
	now := time.Unix(1000, 0)
	if w := p.now(now); w != minPatience {
		t.Fatalf("at first %v", w)
	}
	p.hasty(now)
	if w := p.now(now); w != 2*minPatience {
		t.Errorf("once hasty: %v", w)
	}
	for range 100 {
		p.hasty(now)
	}
	if w := p.now(now); w != mostPatience {
		t.Errorf("at most %v", w)
	}
	if w := p.now(now.Add(patienceHalf)); w >= mostPatience || w <= minPatience {
		t.Errorf("after a while %v", w)
	}
	if w := p.now(now.Add(20 * patienceHalf)); w != minPatience {
		t.Errorf("in the end %v", w)
	}
}
