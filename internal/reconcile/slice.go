package reconcile

import (
	"slices"
	"sort"
)

// Slice is a Set in memory: sorted items, none twice. It divides ranges as the
// published implementations do, into parts of equal count.
type Slice []Item

// NewSlice returns the set of these items.
func NewSlice(items []Item) Slice {
	s := slices.Clone(items)
	slices.SortFunc(s, Item.Compare)
	return slices.Compact(s)
}

// place returns where the items begin that are not before b.
func (s Slice) place(b Bound) int {
	return sort.Search(len(s), func(i int) bool { return !b.Includes(&s[i]) })
}

func (s Slice) within(from, to Bound) Slice {
	low := s.place(from)
	return s[low:max(s.place(to), low)]
}

// Sum implements Set.
func (s Slice) Sum(from, to Bound) (sum Sum, _ error) {
	items := s.within(from, to)
	for i := range items {
		sum.Add(&items[i].ID)
	}
	return sum, nil
}

// Items implements Set.
func (s Slice) Items(from, to Bound, limit int) ([]Item, error) {
	items := s.within(from, to)
	return slices.Clone(items[:min(len(items), limit)]), nil
}

// Read implements Set: nothing was read.
func (s Slice) Read() int { return 0 }

// Split implements Set.
func (s Slice) Split(from, to Bound, n int) (bounds []Bound, _ error) {
	items := s.within(from, to)
	n = min(n, len(items))
	for i, at := 0, 0; i < n-1; i++ {
		at += len(items) / n
		if i < len(items)%n {
			at++
		}
		bounds = append(bounds, between(&items[at-1], &items[at]))
	}
	return bounds, nil
}
