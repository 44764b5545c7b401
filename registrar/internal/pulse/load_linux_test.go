package pulse

import "testing"

func TestTheFirstLineOfStat(t *testing.T) {
	busy, all := parseStat([]byte("cpu  100 20 30 800 50 1 2 3 40 5\ncpu0 1 2 3 4\n"))
	if busy != 156 || all != 1006 {
		t.Errorf("busy %v of %v", busy, all)
	}
	for _, bad := range []string{"", "cpu", "cpu 1 2 3", "intr 1 2 3 4 5", "cpu a b c d e"} {
		if busy, all := parseStat([]byte(bad)); busy != 0 || all != 0 {
			t.Errorf("%q: %v of %v", bad, busy, all)
		}
	}
}
