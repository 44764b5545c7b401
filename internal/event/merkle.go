package event

import (
	"crypto/sha256"
	"math/bits"
)

// The Merkle tree of a batch: RFC 6962 §2.1 over its event IDs, leaves tagged 0 and
// inner nodes 1. spec: 03-events §6.1

func leafHash(id *ID) [32]byte {
	var b [1 + 32]byte
	copy(b[1:], id[:])
	return sha256.Sum256(b[:])
}

func nodeHash(left, right *[32]byte) [32]byte {
	var b [1 + 64]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[33:], right[:])
	return sha256.Sum256(b[:])
}

// split returns the size of the left subtree: the largest power of two below n.
func split(n int) int { return 1 << (bits.Len(uint(n-1)) - 1) }

// merkleRoot returns the root over 1 to MaxBatchEvents events. It reduces level by
// level; an odd last node moves up unchanged, which gives the tree of the RFC.
func merkleRoot(events []Event) [32]byte {
	var level [MaxBatchEvents][32]byte
	n := len(events)
	for i := range events {
		level[i] = leafHash(&events[i].ID)
	}
	for n > 1 {
		for i := 0; i+1 < n; i += 2 {
			level[i/2] = nodeHash(&level[i], &level[i+1])
		}
		if n%2 == 1 {
			level[n/2] = level[n-1]
		}
		n = (n + 1) / 2
	}
	return level[0]
}

// merklePath appends to path the audit path of leaf index, bottom first.
func merklePath(path []byte, events []Event, index int) []byte {
	if len(events) == 1 {
		return path
	}
	k := split(len(events))
	near, far := events[:k], events[k:]
	if index >= k {
		near, far = far, near
		index -= k
	}
	path = merklePath(path, near, index)
	root := merkleRoot(far)
	return append(path, root[:]...)
}

// pathLen returns the number of hashes in the audit path of leaf index among count.
func pathLen(index, count int) int {
	n := 0
	for ; count > 1; n++ {
		k := split(count)
		if index < k {
			count = k
		} else {
			index, count = index-k, count-k
		}
	}
	return n
}

// rootFromPath returns the root that leaf index among count has with this path, whose
// length the caller has checked.
func rootFromPath(leaf [32]byte, index, count int, path []byte) [32]byte {
	if count == 1 {
		return leaf
	}
	last := (*[32]byte)(path[len(path)-32:])
	k := split(count)
	if index < k {
		near := rootFromPath(leaf, index, k, path[:len(path)-32])
		return nodeHash(&near, last)
	}
	near := rootFromPath(leaf, index-k, count-k, path[:len(path)-32])
	return nodeHash(last, &near)
}
