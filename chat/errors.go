package chat

import (
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/fault"
)

// Errors a caller may branch on with errors.Is. Codes are in docs/errors.md.
var (
	// ErrNotJoined is returned for sending to or leaving a room one is not in.
	ErrNotJoined = fault.New("P4001", fault.User, "you are not in that room", "join it first (parley join ROOM)")
	// ErrRoomName says why a text cannot name a room.
	ErrRoomName = fault.New("P4002", fault.User, "that is not a room name", "use 1 to 64 characters, none of @ # - / first")
	// ErrTooLong is returned for content over 64 KiB.
	ErrTooLong = fault.New("P4003", fault.User, "the message is too long", "keep its content under 64 KiB")
	// ErrClosed is returned once the Messenger is closing.
	ErrClosed = fault.New("P4004", fault.Environment, "the messenger is closed", "open it again")
	// ErrNoMessage is returned for an id that is not in the store.
	ErrNoMessage = fault.New("P4005", fault.User, "there is no message with that id here", "check the id")
	// ErrNick says why a text cannot be a nick.
	ErrNick = fault.New("P4006", fault.User, "that is not a usable nick", "use 1 to 64 printable characters")
	// ErrNoRoom is returned for a room that this node has never joined.
	ErrNoRoom = fault.New("P4007", fault.User, "this node was never in that room", "join it first (parley join ROOM)")
	// ErrContent is returned for content without text and data.
	ErrContent = fault.New("P4008", fault.User, "the message has no content", "give it text or data")
	// ErrPeer is returned for a peer ID that cannot be one of ours.
	ErrPeer = fault.New("P4010", fault.User, "that is not a peer of this kind of network", "check the peer ID")
	// ErrDirects is returned when the bound on direct chats is reached.
	ErrDirects = fault.New("P4011", fault.User, "there are too many direct chats", "use a room")
	// ErrNoPeer is returned for a text that names no known peer.
	ErrNoPeer = fault.New("P4012", fault.User, "no known peer has that name", "give its whole peer ID")
	// ErrPeers is returned for a text that names several peers.
	ErrPeers = fault.New("P4013", fault.User, "several peers have that name", "give more of the peer ID")
	// ErrKey is returned for content whose key is too long.
	ErrKey = fault.New("P4014", fault.User, "the idempotency key is too long", "use at most 64 bytes")
	// ErrType is returned for content whose type cannot be one.
	ErrType = fault.New("P4015", fault.User, "that cannot be the type of a message", "use 1 to 64 printable ASCII characters without spaces")
	// ErrText is returned for text, or a fallback, that is not UTF-8.
	ErrText = fault.New("P4016", fault.User, "the text is not UTF-8", "write it in UTF-8, and give other bytes as data")
	// ErrRooms is returned when the bound on joined rooms is reached.
	ErrRooms = fault.New("P4009", fault.User, "too many rooms are joined", "leave one first (parley leave ROOM)")

	// ErrNotRegistrar is returned for writing into the registry.
	ErrNotRegistrar = fault.New("P4041", fault.User, "this node is not a registrar of its network", "do it on one: parley registrars list")
	// ErrIsRegistrar is returned for revoking a registrar.
	ErrIsRegistrar = fault.New("P4042", fault.User, "that node is a registrar", "the network's root takes it out first: parley registrars remove PEER")
	// ErrReason is returned for a revocation without a reason, or one that is none.
	ErrReason = fault.New("P4043", fault.User, "that cannot be the reason of a revocation", "give it 1 to 256 bytes that can be printed")

	// ErrSignal is returned for what cannot be a signal.
	ErrSignal = fault.New("P4021", fault.User, "that cannot be a signal", "give it a type of 1 to 64 printable ASCII characters and at most 768 bytes of data")
	// ErrOften is returned for signals beyond the pace.
	ErrOften = fault.New("P4022", fault.User, "too many signals", "send at most 20 a second: they are not stored, only the newest matters")
	// ErrAway is returned for a signal to a peer who is not there to hear it.
	ErrAway = fault.New("P4023", fault.Environment, "that peer is not there", "send a message: it waits")

	// ErrOtherNetwork is returned for an import of what another network exported.
	ErrOtherNetwork = fault.New("P4031", fault.User, "the export is of another network", "import it on a node of that network: a room's events are valid in their own alone")
	// ErrForged refuses one event of an import.
	ErrForged = fault.New("P4032", fault.User, "an event is not what its author signed", "export it again: the file was changed or damaged")
	// ErrOtherRoom refuses one event of an import.
	ErrOtherRoom = fault.New("P4033", fault.User, "an event belongs to another room or network", "import it from the export it came in")
	// ErrAhead refuses one event of an import.
	ErrAhead = fault.New("P4034", fault.User, "an event is dated more than five minutes ahead", "check this machine's clock, or import it again when it is due")
	// ErrNewer refuses one event of an import.
	ErrNewer = fault.New("P4035", fault.User, "an event needs a newer Parley", "update Parley and import it again")
)

// Errors of the store: Open may return all but the last two, whatever writes
// ErrDiskFull, ErrReadOnly and ErrStore.
var (
	ErrInUse      = eventlog.ErrLocked   // another Messenger has it open, here or in another process
	ErrWrongKey   = eventlog.ErrWrongKey // it is another identity's
	ErrDamaged    = eventlog.ErrCorrupt  // parley store repair makes a new one of what can be read
	ErrReadOnly   = eventlog.ErrReadOnly
	ErrDiskFull   = eventlog.ErrDiskFull  // nothing is lost; sending works again once there is space
	ErrNewerStore = eventlog.ErrSchema    // a newer Parley wrote it
	ErrStore      = eventlog.ErrFailed    // a write failed: close and open again
	ErrScattered  = eventlog.ErrScattered // refuses one payload of an import
	ErrRevoked    = eventlog.ErrCut       // refuses sending, if this account was revoked, and a payload of an import whose author was
)
