package directory

import (
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/parley-chat/parley/internal/ticket"
	"github.com/parley-chat/parley/internal/wire"
)

// State is how a node is. The values are those of the API's NodeState.
type State uint8

// The states.
const (
	Online  State = 1
	Suspect State = 2
	Offline State = 3
	Revoked State = 4
)

// Node is a node as the directory has it.
type Node struct {
	ID          peer.ID
	Zone        string
	Short       ticket.Short
	Addrs       []ma.Multiaddr // not to be changed
	Version     string
	Load        uint8 // percent
	State       State
	LastSeen    time.Time // by this registrar's wall clock
	Registrar   peer.ID   // to whom it reports
	IsRegistrar bool
}

// node is e as it is shown.
func (e *entry) node() Node {
	return Node{
		ID: wire.PeerID(e.key), Zone: e.newest.Zone, Short: e.member.Short, Addrs: e.newest.Addrs, Version: e.newest.Version,
		Load: e.newest.Load, State: e.state, LastSeen: e.seen, Registrar: wire.PeerID(e.registrar), IsRegistrar: e.member.Registrar,
	}
}

// differs reports whether watchers are to be told: that a node is as it was is no
// news.
func (e *entry) differs(was Node) bool {
	is := e.node()
	step := int(is.Load) - int(e.told)
	return is.ID != was.ID || is.State != was.State || is.Zone != was.Zone || is.Short != was.Short || is.Version != was.Version ||
		is.Registrar != was.Registrar || is.IsRegistrar != was.IsRegistrar || step >= loadStep || step <= -loadStep || !sameAddrs(is.Addrs, was.Addrs)
}

func sameAddrs(a, b []ma.Multiaddr) bool {
	return slices.EqualFunc(a, b, func(x, y ma.Multiaddr) bool { return x.Equal(y) })
}
