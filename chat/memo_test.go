package chat

import "testing"

func TestMemoIsBounded(t *testing.T) {
	var m memo[int, int]
	asked := 0
	get := func(k int) int {
		return m.get(k, func() int {
			asked++
			return 2 * k
		})
	}
	for i := range 3 * maxMemo {
		if v, again := get(i), get(i); v != 2*i || again != v {
			t.Fatalf("%d gives %d, then %d", i, v, again)
		}
		if len(m.of) > maxMemo {
			t.Fatalf("%d results are kept", len(m.of))
		}
	}
	if asked != 3*maxMemo {
		t.Errorf("asked %d times for %d arguments", asked, 3*maxMemo)
	}
}
