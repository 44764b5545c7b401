package registrar

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"github.com/parley-chat/parley/registrar/internal/statement"
)

const (
	nonceLife = time.Minute
	nonceSize = statement.NonceSize // 16 random bytes, when it ends in 8, and a MAC of 32
	// maxUsedNonces bounds the memory of nonces that were used: those of a minute
	// at a thousand registrations a second.
	maxUsedNonces = 1 << 16
)

var (
	errNonceForm    = errors.New("nonce: not one of ours")
	errNonceExpired = errors.New("nonce: expired")
	errNonceUsed    = errors.New("nonce: used before")
	errNonceFull    = errors.New("nonce: too many registrations at once")
)

// nonces hands out nonces and takes each back once. It remembers those that were
// used alone: whoever asks for nonces costs no memory. A nonce is 16 random bytes,
// when it ends, and a MAC of both under a key that lives as long as the process.
type nonces struct {
	key   [32]byte
	start time.Time // nonces count from it by the monotonic clock: no step of the wall clock ends them

	mu   sync.Mutex
	used map[[16]byte]time.Duration // when it ends
	old  time.Duration              // when used was last swept
}

func newNonces(now time.Time) *nonces {
	n := &nonces{start: now, used: make(map[[16]byte]time.Duration)}
	_, _ = rand.Read(n.key[:])
	return n
}

func (n *nonces) draw(now time.Time) []byte {
	b := make([]byte, 16, nonceSize)
	_, _ = rand.Read(b)
	b = binary.BigEndian.AppendUint64(b, uint64(now.Sub(n.start)+nonceLife))
	return n.mac(b)
}

// mac appends the MAC of b to it.
func (n *nonces) mac(b []byte) []byte {
	mac := hmac.New(sha256.New, n.key[:])
	mac.Write([]byte("parley/nonce/1"))
	mac.Write(b)
	return mac.Sum(b)
}

// check says what is wrong with a nonce that came back, if anything.
func (n *nonces) check(b []byte, now time.Time) error {
	if len(b) != nonceSize || !hmac.Equal(n.mac(b[:24:24]), b) {
		return errNonceForm
	}
	if end(b) <= now.Sub(n.start) {
		return errNonceExpired
	}
	return nil
}

// use takes a checked nonce, if nobody did before.
func (n *nonces) use(b []byte, now time.Time) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sweep(now.Sub(n.start))
	id := [16]byte(b)
	if _, used := n.used[id]; used {
		return errNonceUsed
	}
	if len(n.used) >= maxUsedNonces {
		return errNonceFull
	}
	n.used[id] = end(b)
	return nil
}

// sweep forgets those that have ended: once in a nonce's life, or each second when
// there is no room.
func (n *nonces) sweep(now time.Duration) {
	if now-n.old < nonceLife && (len(n.used) < maxUsedNonces || now-n.old < time.Second) {
		return
	}
	n.old = now
	for id, end := range n.used {
		if end <= now {
			delete(n.used, id)
		}
	}
}

func end(nonce []byte) time.Duration { return time.Duration(binary.BigEndian.Uint64(nonce[16:])) }
