package chat

import (
	"context"
	"iter"
	"log/slog"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/parley-chat/parley/node"
)

// Config says how a Messenger is opened. The zero value is good.
type Config struct {
	// Nick is the name to be known by, 1 to 64 characters; it is remembered.
	// Empty: the one remembered, else none (peers show the end of the peer ID).
	Nick string
	// Light keeps memory small at the price of speed.
	Light bool
	// Logger gets the log; nil is the node's.
	Logger *slog.Logger
	// Registerer gets the metrics; nil registers none. One per Messenger.
	Registerer prometheus.Registerer
}

// Messenger is an open messenger on a running node.
type Messenger struct{}

// Open opens the store in the node's directory, rejoins the rooms that were
// joined, and starts replication and presence. ctx bounds the opening only.
// It fails with the coded errors of the store (in use, wrong key, corrupt,
// read-only, disk full) and with ErrNick.
func Open(ctx context.Context, n *node.Node, cfg Config) (*Messenger, error)

// Close says goodbye, ends all goroutines, waits for them and closes the store.
// It may be called more than once. Updates end; other calls fail with
// ErrClosed.
func (m *Messenger) Close() error

// Join joins the room of that name and remembers it. Joining a joined room
// changes nothing. Errors: ErrRoomName, ErrRooms, ErrClosed, store errors.
func (m *Messenger) Join(ctx context.Context, name string) (*Room, error)

// Leave writes that one left, ends the subscription and forgets the room for
// the next start; its history stays readable. Errors: ErrRoomName,
// ErrNotJoined, ErrClosed, store errors.
func (m *Messenger) Leave(ctx context.Context, name string) error

// Room returns a room that is joined or was once. Errors: ErrRoomName,
// ErrNoRoom, ErrClosed.
func (m *Messenger) Room(name string) (*Room, error)

// Rooms lists the rooms joined and those that others are heard to be in, by
// comparison name.
func (m *Messenger) Rooms(ctx context.Context) ([]RoomInfo, error)

// Updates yields news: first every stored message after cursor, then live ones
// and changes, until ctx ends or the Messenger is closed. Cursor 0 is the
// beginning of everything; LastCursor only what is new. See Update.
func (m *Messenger) Updates(ctx context.Context, cursor uint64) iter.Seq[Update]

// LastCursor returns the cursor of the newest stored event.
func (m *Messenger) LastCursor() uint64

// Get returns one stored event of any kind, of any room joined now or once.
// Errors: ErrNoMessage, ErrClosed, store errors.
func (m *Messenger) Get(ctx context.Context, id ID) (Message, error)

// Nick returns what the network calls p: its latest signal's nick, else its
// latest profile in any room, else the end of its ID. Never empty.
func (m *Messenger) Nick(p peer.ID) string

// SetNick changes and remembers the own nick and writes a profile event to
// each joined room. Errors: ErrNick, ErrClosed, store errors.
func (m *Messenger) SetNick(ctx context.Context, nick string) error

// Ignore hides what p writes from history and updates, or shows it again; it
// is remembered. Nothing is deleted and nobody is told.
func (m *Messenger) Ignore(ctx context.Context, p peer.ID, on bool) error

// Ignored lists the ignored peers, ascending.
func (m *Messenger) Ignored() []peer.ID
