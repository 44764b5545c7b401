package audit

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/parley-chat/parley/internal/disk/disktest"
)

// While the disk is full whoever waits is told, and what nobody waits for is kept, up
// to a bound. When there is room the log goes on, whole, without being opened again.
func TestAFullDiskIsLivedThrough(t *testing.T) {
	for name, segment := range map[string]int64{"one file": 1 << 20, "a file for each record": 1} {
		t.Run(name, func(t *testing.T) {
			disk := disktest.Mount(t, 1)
			c := small(t)
			c.SegmentSize = segment
			dir := filepath.Join(disk.Dir, "audit")
			l := open(t, dir, c)
			fill(t, l, 0, 3)
			disk.Fill()
			told := 3 // what was still room for, in the pages that were begun
			var err error
			for ; err == nil && told < 1000; told++ {
				_, err = l.Append(t.Context(), login(told))
			}
			told--
			if !errors.Is(err, ErrFailed) {
				t.Fatalf("after %d records: %v", told, err)
			}
			kept := 0
			for err = nil; err == nil && kept < 5*maxQueue; kept++ {
				if err = l.Write(t.Context(), login(told+kept)); err == nil && kept%100 == 0 {
					_, _ = l.Append(t.Context(), login(0)) // what was taken before is tried
				}
			}
			kept--
			if !errors.Is(err, ErrFailed) || kept < maxQueue || kept > 3*maxQueue {
				t.Fatalf("%d records are kept: %v", kept, err)
			}
			disk.Resize(64)
			if got, err := l.Append(t.Context(), login(told+kept)); err != nil || got != int64(told+kept) {
				t.Fatalf("with room again: record %d of %d+%d, %v", got, told, kept, err)
			}
			closed(t, l)
			sound(t, dir, int64(told+kept+1))
			l = open(t, dir, c)
			fill(t, l, told+kept+1, told+kept+4)
			closed(t, l)
			sound(t, dir, int64(told+kept+4))
		})
	}
}
