package event

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
)

// LogKind says what a log is; it is one byte of the log's ID. spec: 03-events §2.2
type LogKind byte

// The kinds of log.
const (
	LogPublicRoom  LogKind = 1
	LogPrivateRoom LogKind = 2
	LogDirect      LogKind = 3
	LogRegistry    LogKind = 4
)

// ErrRoomName is wrapped by what RoomKey says about a name that cannot be a room's.
var ErrRoomName = errors.New("not a room name")

// MaxRoomName is the longest comparison key of a room, in characters (code points).
const MaxRoomName = 64

// maxRoomInput bounds what is handed to the Unicode tables, in bytes.
const maxRoomInput = 1 << 10

// PublicRoomLog returns the log of the public room with this comparison key (RoomKey).
func PublicRoomLog(network [32]byte, roomKey string) LogID {
	return logID(network, LogPublicRoom, []byte(roomKey))
}

// PrivateRoomLog returns the log of a private room from its creator and 16 random bytes.
func PrivateRoomLog(network [32]byte, creator Author, random [16]byte) LogID {
	return logID(network, LogPrivateRoom, creator[:], random[:])
}

// DirectLog returns the log of the direct chat of two accounts, in either order; of
// one with itself when both are the same.
func DirectLog(network [32]byte, a, b Author) LogID {
	if bytes.Compare(a[:], b[:]) > 0 {
		a, b = b, a
	}
	return logID(network, LogDirect, a[:], b[:])
}

// RegistryLog returns the log of the network's registrars.
func RegistryLog(network [32]byte) LogID { return logID(network, LogRegistry) }

// spec: 03-events §2.1
func logID(network [32]byte, kind LogKind, seed ...[]byte) (id LogID) {
	h := sha256.New()
	h.Write([]byte(domainLog))
	h.Write(network[:])
	h.Write([]byte{byte(kind)})
	for _, s := range seed {
		h.Write(s)
	}
	h.Sum(id[:0])
	return id
}

// Admits reports as an error what a log of this kind can never hold, whoever signed
// it: encrypted content in a public or direct log. spec: 03-events §3.7
func (k LogKind) Admits(h *Header) error {
	if h.KeyEpoch != nil && (k == LogPublicRoom || k == LogDirect) {
		return fmt.Errorf("%w: key epoch in a log that has none", ErrForm)
	}
	return nil
}

// RoomKey returns the comparison key of a public room's name: two names are the same
// room exactly if their keys are equal. Errors wrap ErrRoomName. spec: 03-events §2.3
func RoomKey(name string) (string, error) {
	if len(name) > maxRoomInput {
		return "", fmt.Errorf("%w: longer than %d characters", ErrRoomName, MaxRoomName)
	}
	key, err := precis.Nickname.CompareKey(name)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrRoomName, err)
	}
	if utf8.RuneCountInString(key) > MaxRoomName {
		return "", fmt.Errorf("%w: longer than %d characters", ErrRoomName, MaxRoomName)
	}
	if strings.ContainsRune("@#-/", rune(key[0])) {
		return "", fmt.Errorf("%w: begins with %q", ErrRoomName, key[:1])
	}
	return key, nil
}
