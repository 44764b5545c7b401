package chat

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/direct"
	"github.com/parley-chat/parley/internal/event"
)

// ID names an event for ever: the SHA-256 of its header. String gives lower
// hex.
type ID = event.ID

// ParseID reads the 64 hex digits that ID.String writes.
func ParseID(s string) (ID, error) { return event.ParseID(s) }

// LogID names the log of a room for ever, whoever writes its name how. String
// gives lower hex.
type LogID = event.LogID

// Kinds of events, as Message.Kind names them.
const (
	KindMessage = "message" // something said
	KindProfile = "profile" // a member joined or changed nick
	KindLeave   = "leave"   // a member left
	KindUnknown = "unknown" // needs a newer Parley
)

// States of own messages. In a room it is StateQueued while no other member is
// known to hold the message, otherwise "held N/M".
const (
	StateQueued    = direct.Queued    // safe on disk here
	StateSent      = direct.Sent      // in a direct chat: written to a stream to the peer
	StateDelivered = direct.Delivered // safe on the peer's disk
	StateRead      = direct.Read      // shown to a person there
)

// Message is one stored event as an application sees it.
type Message struct {
	ID     ID
	Log    LogID   // the log it lives in
	Room   string  // name of the room as it was joined here; empty in a direct chat
	Direct peer.ID // the other side of a direct chat; empty in a room
	Author peer.ID
	Nick   string    // the author's name as of now; never empty
	Time   time.Time // the author's claim, UTC, milliseconds
	HLC    uint64    // hybrid clock value; history is ordered by (HLC, ID)
	Seq    uint64    // author's own count in this log, from 1
	Kind   string    // one of the Kind constants
	Type   string    // content type: "text" or an application's own
	Text   string    // the text, or the fallback of other types
	Data   []byte    // data of other types
	// Parents are the events this one was written after, ascending.
	Parents []ID
	// State of own messages is one of the State constants or, in rooms,
	// "held N/M"; empty for others'.
	State  string
	Self   bool // written by this node
	Erased bool // the content is gone, the event stays
	Fork   bool // the author wrote two events with this Seq
	Hidden bool // the author is ignored here
	Cursor uint64
}

// Query selects messages of a room's history. The zero value is all messages,
// oldest first.
type Query struct {
	Before *ID // only what sorts before this event
	After  *ID // only what sorts after this event
	// Limit is how many at most; 0 is no limit. Without After these are the
	// newest before Before, with After the first after it. Always yielded
	// oldest first.
	Limit int
	// All yields events of every kind and of ignored authors too (Hidden).
	All bool
}

// Member is one who is in a room.
type Member struct {
	Peer   peer.ID
	Nick   string // never empty
	Online bool   // a signal was heard within three of its intervals; true for oneself
	Self   bool
}

// RoomInfo is one line of the network's room directory as far as it is known
// here.
type RoomInfo struct {
	Name    string
	Members int
	Joined  bool
}

// DirectInfo is one line of the list of direct chats.
type DirectInfo struct {
	Peer   peer.ID
	Nick   string    // never empty
	Online bool      // as in Member
	Unread int       // messages that no person here was shown, counted up to 1,000
	Last   time.Time // of the newest message, by its author's claim; zero: none is kept
	State  string    // of the newest message, if it is an own one
}
