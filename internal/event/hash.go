package event

import "crypto/sha256"

// Domains that keep one hash from standing in for another. spec: 03-events §1.1
const (
	domainEvent   = "parley/event/1"
	domainContent = "parley/content/1"
	domainBatch   = "parley/batch/1"
	domainLog     = "parley/log/1"
)

// hasher makes the tagged hashes of one batch. Domain and bytes are put side by side
// in one reused buffer: that is faster than feeding a running hash in pieces.
type hasher struct{ buf []byte }

// newHasher returns a hasher with room for the usual header or content.
func newHasher() *hasher { return &hasher{buf: make([]byte, 0, 1<<10)} }

// sum returns SHA-256(domain ‖ b).
func (h *hasher) sum(domain string, b []byte) [32]byte {
	h.buf = append(append(h.buf[:0], domain...), b...)
	return sha256.Sum256(h.buf)
}
