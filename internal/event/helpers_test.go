package event

import (
	"bytes"
	"crypto/ed25519"
	"testing"
)

var (
	testKey    = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
	testAuthor = Author(testKey.Public().(ed25519.PublicKey))
	testLog    = PublicRoomLog([32]byte{1}, "lobby")
)

const testHLC = HLC(1_767_225_600_000 << counterBits) // 2026-01-01T00:00:00Z

func testSign(m []byte) []byte { return ed25519.Sign(testKey, m) }

// texts returns n drafts with payloads of size bytes, a millisecond apart.
func texts(n, size int) []Draft {
	drafts := make([]Draft, n)
	for i := range drafts {
		drafts[i] = Draft{
			HLC: testHLC + HLC(i)<<counterBits, Kind: KindMessage,
			Payload: bytes.Repeat([]byte{byte(i)}, size), Salt: [16]byte{byte(i), 1},
		}
	}
	return drafts
}

// sealed is Seal as a log's first batch.
func sealed(t testing.TB, drafts []Draft) *Batch {
	t.Helper()
	b, err := Seal(testLog, testAuthor, 0, ID{}, drafts, testSign)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// decoded decodes a copy of payload and verifies it.
func decoded(t testing.TB, payload []byte) *Batch {
	t.Helper()
	b, err := Decode(bytes.Clone(payload))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Verify(); err != nil {
		t.Fatal(err)
	}
	return b
}
