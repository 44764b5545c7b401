package codes

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// Codes are redeemed one after the other, and by 64 callers at once; an operation is
// one code, of as many as are named. When there are none left others take their place.
func BenchmarkRedeem(b *testing.B) {
	for _, count := range []int{1000, MaxCodes} {
		for _, callers := range []int{1, 64} {
			b.Run(fmt.Sprintf("codes=%d/callers=%d", count, callers), func(b *testing.B) {
				for done := 0; done < b.N; {
					n := min(b.N-done, count)
					b.StopTimer()
					s, fresh := filled(b, count)
					b.StartTimer()
					redeemAll(b, s, fresh[:n], callers)
					done += n
				}
			})
		}
	}
}

func filled(b *testing.B, count int) (*Store, []Code) {
	s, err := Open(b.TempDir(), start)
	if err != nil {
		b.Fatal(err)
	}
	fresh, err := s.New(count, day, start)
	if err != nil {
		b.Fatal(err)
	}
	return s, fresh
}

func redeemAll(b *testing.B, s *Store, all []Code, callers int) {
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := c; i < len(all); i += callers {
				if err := s.Redeem(all[i].Text(), fmt.Sprint("peer-", i), start.Add(time.Duration(i))); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkRefuse(b *testing.B) {
	s, err := Open(b.TempDir(), start)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := s.New(1000, day, start); err != nil {
		b.Fatal(err)
	}
	text := Code{[16]byte{1}}.Text()
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Redeem(text, alice, start); !errors.Is(err, ErrWrong) {
			b.Fatal(err)
		}
	}
}
