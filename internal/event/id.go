package event

import (
	"bytes"
	"encoding/hex"
	"fmt"
)

// ID names an event: the hash of its header. spec: 03-events §5
type ID [32]byte

// LogID names a log: the hash of its network, kind and seed. spec: 03-events §2.1
type LogID [32]byte

// Author is a raw Ed25519 public key.
type Author [32]byte

// String returns the ID in lower-case hex.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// String returns the log's ID in lower-case hex.
func (id LogID) String() string { return hex.EncodeToString(id[:]) }

// String returns the key in lower-case hex.
func (a Author) String() string { return hex.EncodeToString(a[:]) }

// Compare orders IDs bytewise, as parents and histories are ordered.
func (id ID) Compare(other ID) int { return bytes.Compare(id[:], other[:]) }

// ParseID reads the 64 hex digits that ID.String writes.
func ParseID(s string) (ID, error) {
	var id ID
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(id) {
		return ID{}, fmt.Errorf("not an event ID (64 hex digits): %.80q", s)
	}
	return ID(b), nil
}
