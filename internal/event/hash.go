package event

import (
	"crypto/sha256"
	"hash"
)

// hasher makes the tagged hashes of one batch with one state. spec: 03-events §1.1
type hasher struct {
	h   hash.Hash
	out [32]byte
}

func newHasher() *hasher { return &hasher{h: sha256.New()} }

// sum returns SHA-256(domain ‖ b).
func (h *hasher) sum(domain string, b []byte) [32]byte {
	h.h.Reset()
	h.h.Write([]byte(domain))
	h.h.Write(b)
	h.h.Sum(h.out[:0])
	return h.out
}
