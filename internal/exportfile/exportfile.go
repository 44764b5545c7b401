// Package exportfile reads and writes the file that holds the history of a
// room for a backup or another node: JSON lines that say of which room of which
// network they are, then one event a line with its proof, then the end.
//
//	w := exportfile.NewWriter(out)
//	w.Head(exportfile.Head{…}); w.Event(payload); …; w.End()
//
//	r := exportfile.NewReader(in)
//	for rec, err := r.Next(); err != io.EOF; rec, err = r.Next() { … }
//
// It checks the form of lines alone: whether an event is what its author
// signed is for who takes it (event.Decode, Verify). Memory is bounded by the
// longest line. One goroutine at a time may use a Writer or a Reader.
//
// spec: 08-export
package exportfile

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/parley-chat/parley/internal/event"
)

// Version is the version of the format that this package writes and reads.
const Version = 1

// MaxLine is the longest line that is read, in bytes: an event of the greatest
// size fits. spec: 08-export §1
const MaxLine = 128 << 10

// Head says where the events after it are from. spec: 08-export §2
type Head struct {
	Network   string      // its name, for people; may be empty
	NetworkID [32]byte    // what decides
	Room      string      // as the exporting node calls it
	Log       event.LogID // the log of that room in that network
}

// Errors of a line; each is wrapped by what Next returns.
var (
	ErrForm    = errors.New("not a line of an export")
	ErrTooLong = errors.New("a line is too long")
	ErrVersion = errors.New("an export of another version")
	ErrID      = errors.New("the id is not that of the header")
	ErrNoHead  = errors.New("an event before the line that says of which room it is")
)

// line is any line; what is absent tells its kind.
type line struct {
	Export    *uint  `json:"parley_export,omitempty"`
	Network   string `json:"network,omitempty"`
	NetworkID string `json:"network_id,omitempty"`
	Room      string `json:"room,omitempty"`
	Log       string `json:"log,omitempty"`

	ID      string     `json:"id,omitempty"`
	Header  string     `json:"header,omitempty"`
	Content string     `json:"content,omitempty"`
	Proof   *proofLine `json:"proof,omitempty"`

	End *uint64 `json:"end,omitempty"`
}

// proofLine is event.Proof. Count is absent for 1, index for 0.
type proofLine struct {
	Signature string `json:"signature"`
	Count     uint32 `json:"count,omitempty"`
	Index     uint32 `json:"index,omitempty"`
	Path      string `json:"path,omitempty"`
}

var encoding = base64.StdEncoding.Strict()

func decodeHash(name, s string) (h [32]byte, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(h) {
		return h, fmt.Errorf("%w: %s is not 64 hex digits", ErrForm, name)
	}
	return [32]byte(b), nil
}

func decodeBytes(name, s string) ([]byte, error) {
	b, err := encoding.DecodeString(s)
	if err != nil || strings.ContainsAny(s, "\r\n") { // which the library skips
		return nil, fmt.Errorf("%w: %s is not base64", ErrForm, name)
	}
	return b, nil
}

// head reads the head that a line is.
func (l *line) head() (h Head, err error) {
	if *l.Export != Version {
		return h, fmt.Errorf("%w: %d", ErrVersion, *l.Export)
	}
	h = Head{Network: l.Network, Room: l.Room}
	if h.NetworkID, err = decodeHash("network_id", l.NetworkID); err != nil {
		return h, err
	}
	if h.Log, err = decodeHash("log", l.Log); err != nil {
		return h, err
	}
	key, err := event.RoomKey(h.Room)
	if err != nil {
		return h, fmt.Errorf("%w: %w", ErrForm, err)
	}
	if event.PublicRoomLog(h.NetworkID, key) != h.Log {
		return h, fmt.Errorf("%w: log is not that of this room in this network", ErrForm)
	}
	return h, nil
}

// event makes the payload of the event that a line is, and checks its id.
// spec: 08-export §3
func (l *line) event() ([]byte, error) {
	id, err := decodeHash("id", l.ID)
	if err != nil {
		return nil, err
	}
	if l.Proof == nil {
		return nil, fmt.Errorf("%w: proof is missing", ErrForm)
	}
	var parts [4][]byte
	for i, p := range []struct{ name, text string }{
		{"header", l.Header}, {"content", l.Content}, {"signature", l.Proof.Signature}, {"path", l.Proof.Path},
	} {
		if parts[i], err = decodeBytes(p.name, p.text); err != nil {
			return nil, err
		}
	}
	if event.HeaderID(parts[0]) != id {
		return nil, ErrID
	}
	return event.Alone(parts[0], parts[1], event.Proof{
		Signature: parts[2], Count: max(1, int(l.Proof.Count)), Index: int(l.Proof.Index), Path: parts[3],
	}), nil
}
