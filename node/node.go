// Package node runs a Parley node: an identity on a libp2p host, in one
// network, with admission, gossip and the ways peers are found.
//
//	n, err := node.Start(ctx, node.Config{Dir: dir})
//	if err != nil { … }
//	defer n.Close()
//	for c := range n.Watch(ctx) { … }     // who is admitted, who is gone
//
// Several nodes may run in one process, each with a directory of its own.
// Other packages build on [Node.Host] and [Node.PubSub]: there only admitted
// peers exist. Being connected says nothing; a peer that counts is in
// [Node.Peers].
//
// All methods may be called from any goroutine, also after Close, when they
// return the last state.
//
// The package does not know rooms, messages or storage; that is package chat.
package node

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/parley-chat/parley/dht"
	"github.com/parley-chat/parley/node/internal/admission"
	"github.com/parley-chat/parley/node/internal/gate"
	"github.com/parley-chat/parley/node/internal/liveness"
)

// Node is a running node. Make one with [Start].
type Node struct {
	cfg   Config
	log   *slog.Logger
	id    *Identity
	since time.Time

	host     host.Host // the real one: strangers and all
	gate     *gate.Gate
	door     *admission.Service
	pulse    *liveness.Monitor
	pubsub   *pubsub.PubSub
	table    *dht.Table
	book     *peerBook
	dialer   *dialer
	links    links
	disc     Discovery // nil: none
	metrics  *metrics
	skew     skews
	mates    mates
	lost     chan struct{} // gossip was dropped unseen
	refusals refusals
	topics   topics
	mesh     *mesh

	netMu  sync.Mutex
	net    *NetworkFile
	ticket TicketInfo // zero: none
	proven proofs
	seen   atomic.Pointer[os.FileInfo] // network.json, when it was read last
	news   chan struct{}               // the network's record or secrets changed

	revoked atomic.Pointer[Revocations] // nil: none

	ctx     context.Context // ends when Close begins
	cancel  context.CancelFunc
	wg      sync.WaitGroup // goroutines of the node itself
	undo    []func() error // what Close does, last first
	closing sync.Once
	done    chan struct{}
	err     error // set before done is closed
}

// Start starts a node. When it returns without error the node listens, admits
// peers and looks for them; ctx bounds the start only. When it fails, nothing
// is left running. Errors carry codes: among others [ErrConfig], [ErrDir],
// [ErrDirBusy], [ErrListen], [ErrOtherNetwork].
func Start(ctx context.Context, cfg Config) (*Node, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	n := &Node{cfg: cfg, log: orSilent(cfg.Logger), since: time.Now(), lost: make(chan struct{}, 1), topics: topics{}, news: make(chan struct{}, 1), done: make(chan struct{})}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	if err := n.start(ctx); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

func (n *Node) start(ctx context.Context) error {
	steps := []func(context.Context) error{n.openDir, n.openHost, n.openGate, n.openPubSub, n.openTable, n.openListeners, n.openSearch}
	for _, step := range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := step(ctx); err != nil {
			return err
		}
	}
	n.log.Info("node is running", "peer", n.ID(), "network", n.Network().Name)
	n.log.Debug("listening", "addrs", n.Addrs())
	return nil
}

// atClose adds to what Close does; the last added is done first.
func (n *Node) atClose(f func() error) { n.undo = append(n.undo, f) }

// openDir takes the directory: the lock first, then identity and network.
func (n *Node) openDir(context.Context) error {
	if err := prepareDir(n.cfg.Dir, n.log); err != nil {
		return err
	}
	lock, err := lockDir(n.cfg.Dir)
	if err != nil {
		return err
	}
	n.atClose(lock.Close) // which unlocks it
	if n.id, err = openIdentity(n.cfg.Dir, n.log); err != nil {
		return err
	}
	if n.net, err = openNetwork(n.cfg.Dir, n.cfg.Network, n.log); err != nil {
		return err
	}
	if n.ticket, _, err = readTicket(n.cfg.Dir, n.net.ID, n.ID()); err != nil {
		return err
	}
	n.book = openPeerBook(n.cfg.Dir, n.log)
	n.atClose(n.book.flush)
	if v := n.cfg.Network.Invite; v != nil && v.Addr != nil && v.Addr.ID != n.ID() {
		n.book.introduce(*v.Addr)
	}
	return nil
}

func (n *Node) openHost(context.Context) error {
	n.links.headStart = cmp.Or(n.cfg.headStart, defaultHeadStart)
	h, listen, err := newHost(n.id.libp2pKey(), &n.cfg, &n.links, func(p peer.ID) bool { return n.gate.Known(p) })
	if err != nil {
		return err
	}
	n.host, n.cfg.Listen = h, listen
	n.atClose(h.Close)
	return nil
}

// openGate puts gate, admission and pings before the host, which does not
// listen yet.
func (n *Node) openGate(context.Context) (err error) {
	n.metrics = newMetrics(n)
	n.gate, err = gate.New(n.host, gate.Options{
		Logger:    n.log,
		Connected: func(p peer.ID) { n.door.Connected(p) },
		MayDial:   n.mayDial,
	})
	if err != nil {
		return err
	}
	n.atClose(n.gate.Close)
	n.dialer = newDialer(n.host, n.gate.Admitted, n.log)
	n.door = admission.New(n.host, n.gate, n.admissionConfig())
	n.atClose(n.door.Close)
	n.pulse = liveness.New(n.host, n.log, func(c network.Conn) { n.metrics.deadConn(c); n.links.died(c) })
	n.Host().Network().Notify(n.pulse)
	n.atClose(n.pulse.Close)
	if err := n.metrics.register(n.cfg.Registerer); err != nil {
		return err
	}
	n.atClose(func() error { n.metrics.unregister(n.cfg.Registerer); return nil })
	return nil
}

func (n *Node) openPubSub(context.Context) (err error) {
	ctx, cancel := context.WithCancel(context.Background())
	n.atClose(func() error { cancel(); return nil })
	n.mesh = newMesh(n.pulse.Loss, func(p peer.ID) bool { return n.pulse.LossTo(p) > lossMuch })
	tracer := &gossipTracer{m: n.metrics, heard: n.pulse.Heard, lost: n.gossipLost, topics: n.topics, mesh: n.mesh}
	n.pubsub, err = newPubSub(ctx, n.Host(), n.log, tracer)
	return err
}

func (n *Node) openListeners(ctx context.Context) error {
	n.serveAbout()
	return listen(ctx, n.host, n.cfg.Listen)
}

// openSearch starts what finds peers and what follows them.
func (n *Node) openSearch(context.Context) error {
	n.atClose(func() error { n.cancel(); n.wg.Wait(); return nil })
	if err := n.follow(); err != nil {
		return err
	}
	for _, p := range n.cfg.Peers {
		n.dialer.add(p, fromConfig)
	}
	for _, p := range n.book.all() {
		n.dialer.add(p, fromMemory)
	}
	n.wg.Go(func() { n.dialer.run(n.ctx) })
	if n.disc = n.cfg.Discovery; n.disc == nil && !n.cfg.NoMDNS {
		n.disc = newMDNS(n.log)
	}
	if n.disc != nil {
		n.wg.Go(n.discover)
	}
	return nil
}

func (n *Node) discover() {
	self := DiscoverySelf{ID: n.ID(), Tag: n.Network().Tag, Listen: n.host.Network().ListenAddresses}
	found := func(p peer.AddrInfo) { n.dialer.add(p, fromDiscovery) }
	if err := n.disc.Run(n.ctx, self, found); err != nil && n.ctx.Err() == nil {
		n.log.Error("discovery ended", "err", err)
	}
}

// Ready waits until the node serves, which from a successful Start on it does,
// or returns the reason why it does not: ctx's error or [ErrClosed]. A node is
// ready without peers.
func (n *Node) Ready(ctx context.Context) error {
	select {
	case <-n.ctx.Done():
		return ErrClosed
	default:
		return ctx.Err()
	}
}

// Done is closed when the node has ended.
func (n *Node) Done() <-chan struct{} { return n.done }

// Err returns, once Done is closed, what went wrong while closing; nil before.
func (n *Node) Err() error {
	select {
	case <-n.done:
		return n.err
	default:
		return nil
	}
}

// Close ends the node, waits for all it started and releases the directory.
// Further calls wait for the first and return the same.
func (n *Node) Close() error {
	n.closing.Do(func() {
		n.cancel()
		var errs []error
		for _, f := range slices.Backward(n.undo) {
			errs = append(errs, f())
		}
		n.err = errors.Join(errs...)
		close(n.done)
	})
	<-n.done
	return n.err
}

// ID returns the peer ID, which is the author of the node's events.
func (n *Node) ID() peer.ID { return n.id.ID() }

// Sign signs msg with the identity's key. msg must begin with a tag that names
// what it is.
func (n *Node) Sign(msg []byte) []byte { return n.id.Sign(msg) }

// StoreKey returns the key of the store's encryption at rest.
func (n *Node) StoreKey() [32]byte { return n.id.StoreKey() }

// Dir returns the data directory.
func (n *Node) Dir() string { return n.cfg.Dir }

// Zone returns the site, floor or rack the node is in; empty if it was not told.
func (n *Node) Zone() string { return n.cfg.Zone }

// Light reports whether the node was asked to take little memory and disk.
func (n *Node) Light() bool { return n.cfg.Light }

// Now returns the time of the node's wall clock ([Config.Now]).
func (n *Node) Now() time.Time { return n.cfg.Now() }

// Logger returns the node's logger; it is never nil.
func (n *Node) Logger() *slog.Logger { return n.log }

// Network returns the network the node is in. Its name is empty until a joiner
// of a closed network has met a peer that tells it.
func (n *Node) Network() Network { return n.networkFile().Network }

func (n *Node) networkFile() *NetworkFile {
	n.netMu.Lock()
	defer n.netMu.Unlock()
	return n.net
}

// Host returns a libp2p host in which only admitted peers exist: streams of
// others never reach its handlers, opening one waits for the admission, its
// event bus and network tell of nobody else. Its Close does nothing.
// Subscribers of its bus must read until the node is closed.
func (n *Node) Host() host.Host { return n.gate.Host() }

// PubSub returns GossipSub on Host, for package chat and for topics of a
// program's own, whose names do not begin with /parley/. Messages carry no
// author and no signature: a topic needs a validator. Subscribe with a buffer
// (pubsub.WithBufferSize): the default of 32 loses messages silently.
func (n *Node) PubSub() *pubsub.PubSub { return n.pubsub }

// GossipLost returns the channel that has a value after GossipSub dropped
// messages unseen because its queues were full: what they said has to be asked
// for. It is for one reader.
func (n *Node) GossipLost() <-chan struct{} { return n.lost }

func (n *Node) gossipLost() {
	select {
	case n.lost <- struct{}{}:
	default:
	}
}

// Addrs returns the addresses the node can be reached at, sorted, with
// interfaces written out.
func (n *Node) Addrs() []ma.Multiaddr { return shownAddrs(n.host.Addrs()) }
