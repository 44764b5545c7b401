package node

import (
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/hello"
	"github.com/parley-chat/parley/internal/ticket"
)

// proof is how an admitted peer has proven its membership: by the secret of an
// epoch, or by a ticket.
type proof struct {
	epoch  uint64
	ticket *ticket.Ticket // nil: the secret
	newest [32]byte       // revocation that it has, as it said
}

// proofs are those of all admitted peers.
type proofs struct {
	mu sync.Mutex
	of map[peer.ID]proof
}

func (s *proofs) note(p peer.ID, what proof) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil {
		s.of = make(map[peer.ID]proof)
	}
	s.of[p] = what
}

func (s *proofs) get(p peer.ID) proof {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of[p]
}

func (s *proofs) remove(p peer.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.of, p)
}

// dropWithout forgets the peers whose proof does not hold, and returns them.
func (s *proofs) dropWithout(holds func(peer.ID, proof) bool) (ids []peer.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p, what := range s.of {
		if !holds(p, what) {
			ids = append(ids, p)
			delete(s.of, p)
		}
	}
	return ids
}

// noteProof notes what a peer has proven, before it is admitted. It may have been
// given up while the handshake was under way.
func (n *Node) noteProof(p peer.ID, a hello.Admitted) {
	if !n.Network().Mode.hasRoot() {
		return
	}
	what := proof{epoch: a.Epoch, newest: a.Revoked}
	if a.Ticket != "" {
		t, err := ticket.Parse([]byte(a.Ticket))
		if err != nil { // was verified in the handshake
			n.log.Error("the ticket of a peer that is to be admitted cannot be read", "peer", p, "err", err)
			return
		}
		what.ticket = &t
	}
	n.proven.note(p, what)
	if !n.holds(n.networkFile(), p, what) { // which may have changed before it was noted
		n.dismiss()
	}
}

// holds reports whether a proof counts still. The peer is known, so that its
// ticket has its grace.
func (n *Node) holds(f *NetworkFile, p peer.ID, what proof) bool {
	if n.Revoked(p) {
		return false
	}
	if t := what.ticket; t != nil {
		return f.isRegistrar(t.Issuer) && n.Now().Before(t.NotAfter.Add(ticket.Grace))
	}
	return slices.ContainsFunc(f.helloSecrets(), func(s hello.Secret) bool { return s.Epoch == what.epoch })
}

// dismiss closes peers that are revoked, or admitted by a secret or a ticket which
// does not count any more. Those who have a newer one are back at once, the others are
// refused.
func (n *Node) dismiss() {
	f := n.networkFile()
	for _, p := range n.proven.dropWithout(func(p peer.ID, what proof) bool { return n.holds(f, p, what) }) {
		n.log.Info("peer has proven what counts no more and is let go", "peer", p)
		_ = n.host.Network().ClosePeer(p)
	}
}
