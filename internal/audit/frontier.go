package audit

import (
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// frontier is the right edge of a growing tree: for each one bit of the number
// of its records, the largest first, the root of a whole subtree. It is all it
// takes to add records and to know the root.
type frontier struct {
	size  int64
	roots []tlog.Hash
}

// add takes the leaf of the next record in and appends to out the hashes that
// are stored for it, in their order (tlog.StoredHashes).
func (f *frontier) add(leaf tlog.Hash, out []tlog.Hash) []tlog.Hash {
	out = append(out, leaf)
	for n := f.size; n&1 == 1; n >>= 1 {
		last := len(f.roots) - 1
		leaf = tlog.NodeHash(f.roots[last], leaf)
		f.roots = f.roots[:last]
		out = append(out, leaf)
	}
	f.roots = append(f.roots, leaf)
	f.size++
	return out
}

// root is the root of the tree.
func (f *frontier) root() (tlog.Hash, error) {
	return tlog.TreeHash(f.size, tlog.HashReaderFunc(func([]int64) ([]tlog.Hash, error) { return f.roots, nil }))
}

// readFrontier reads the edge of the tree of the first size records.
func readFrontier(size int64, r tlog.HashReader) (frontier, error) {
	var at []int64
	for level := bits.Len64(uint64(size)) - 1; level >= 0; level-- {
		if size>>level&1 == 1 {
			at = append(at, tlog.StoredHashIndex(level, size>>level-1))
		}
	}
	roots, err := r.ReadHashes(at)
	return frontier{size, roots}, err
}
