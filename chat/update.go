package chat

import "github.com/libp2p/go-libp2p/core/peer"

// Update is one piece of news. The kinds are MessageAdded, StateChanged,
// MemberChanged, PeerChanged, RoomsChanged and Lagged.
type Update interface{ update() }

// MessageAdded says that a message, or an event that needs a newer Parley, is
// in the store. They come in order of arrival, each at least once; after an
// unclean end of the program one may come twice, with one ID. Messages of
// ignored peers are left out. Message.Cursor is where to go on after it.
type MessageAdded struct{ Message Message }

// StateChanged says that the State of own messages changed: ID, the own event
// of number Seq in its room or direct chat, and every own one before it have
// come at least as far as State says.
type StateChanged struct {
	Room   string  // empty in a direct chat
	Direct peer.ID // empty in a room
	ID     ID
	Seq    uint64
	State  string
}

// MemberChanged says that someone joined, left or changed nick, or that a
// member appeared or went.
type MemberChanged struct {
	Room   string
	Member Member
	Left   bool
}

// PeerChanged says that a peer of the network appeared, went, or told another
// nick.
type PeerChanged struct {
	Peer   peer.ID
	Nick   string
	Online bool
}

// RoomsChanged says that Rooms may answer differently: call it again.
type RoomsChanged struct{}

// Lagged says that the reader was too slow for changes that are not stored
// (of states, members, peers, rooms): read those anew. No message is lost by
// it: they go on after Cursor.
type Lagged struct{ Cursor uint64 }

func (MessageAdded) update()  {}
func (StateChanged) update()  {}
func (MemberChanged) update() {}
func (PeerChanged) update()   {}
func (RoomsChanged) update()  {}
func (Lagged) update()        {}
