// Package dht is the private Kademlia of a network: where nodes that do not
// hear each other by multicast find the record of a node, and those who are in
// a room.
//
//	t, err := dht.Open(dht.Config{…})
//	t.Provide(log)                  // told now and again, for as long as it runs
//	r, err := t.Lookup(ctx, id)     // what a node says of itself
//	t.Heard(id); t.Close()
//
// It works with two nodes as with a thousand: some nodes serve, all ask. Which
// serve follows from who is heard of, so that all decide alike without a word.
// Nodes that provide a room are handed to Config.Found as they are found.
//
// All methods may be called by any goroutine. One goroutine follows peers and
// decides who serves, one publishes and searches; those of go-libp2p-kad-dht
// come on top.
//
// spec: 09-dht
package dht

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ipfs/go-datastore"
	kad "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p-kad-dht/records"
	record "github.com/libp2p/go-libp2p-record"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/routing"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/prometheus/client_golang/prometheus"
)

// ErrNotFound is returned by Lookup for a node of which there is no record.
var ErrNotFound = errors.New("no such node in the table")

// Config is what a Table works with. Every field without "may" is needed.
type Config struct {
	Host    host.Host // shows admitted peers only; tells of reachability what Serve said
	Tag     string    // the network's, in the name of the protocol
	Network [32]byte
	Sign    func([]byte) []byte   // by the host's key
	Addrs   func() []ma.Multiaddr // the most useful first
	Zone    string                // may be empty
	Version string                // of the software; may be empty
	Dir     string                // where records are kept over restarts; empty: in memory

	// Serve is told whether this node is to serve, when that changes. It must
	// make Host tell so as a change of reachability.
	Serve func(bool)
	// Found is told of nodes that provide a log which is provided here. It must not block.
	Found func(log [32]byte, p peer.AddrInfo)

	Now        func() time.Time      // the wall clock; may be nil: time.Now
	Logger     *slog.Logger          // may be nil: silent
	Registerer prometheus.Registerer // may be nil: no metrics
}

// Table is this node's part of the table. Make one with Open.
type Table struct {
	cfg     Config
	log     *slog.Logger
	kad     *kad.IpfsDHT
	store   datastore.Batching
	metrics *metrics
	budget  *budgets
	nodes   *cache[*Record]
	valid   validator
	wake    chan struct{}

	mu    sync.Mutex
	roles *roles
	nick  string
	rooms map[[32]byte]*room
	self  task // publishing the own record

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// Open starts the node's part in the table. Errors are of the host and of
// metrics; what is wrong with Dir costs what others told before, no more.
func Open(cfg Config) (*Table, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	m := newMetrics()
	t := &Table{
		cfg: cfg, log: cfg.Logger, metrics: m, budget: newBudgets(),
		nodes: newCache[*Record](m.lookups), valid: validator{cfg.Network, cfg.Now},
		wake: make(chan struct{}, 1), roles: newRoles(cfg.Host.ID()), rooms: make(map[[32]byte]*room),
	}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	t.store = openStore(cfg.Dir, t.log)
	var err error
	if t.kad, err = kad.New(cfg.Host, t.options()...); err != nil {
		return nil, errors.Join(fmt.Errorf("dht: %w", err), t.store.Close())
	}
	if err := m.register(cfg.Registerer, t); err != nil {
		return nil, errors.Join(fmt.Errorf("dht metrics: %w", err), t.kad.Close(), t.store.Close())
	}
	changes, err := cfg.Host.EventBus().Subscribe([]any{
		new(event.EvtPeerIdentificationCompleted), new(event.EvtLocalAddressesUpdated),
	}, eventbus.BufSize(256), eventbus.Name("parley/dht"))
	if err != nil {
		m.unregister(cfg.Registerer)
		return nil, errors.Join(fmt.Errorf("dht: %w", err), t.kad.Close(), t.store.Close())
	}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.wg.Go(func() { t.follow(changes) })
	t.wg.Go(t.run)
	return t, nil
}

// Lifetimes and pace of the table. spec: 09-dht §2, §4
const (
	refresh   = 30 * time.Minute // of routing tables, and of what is provided
	roomLife  = 2 * time.Hour    // of a room's provider
	cleanup   = 15 * time.Minute
	queryTime = 30 * time.Second // for one look-up
)

func (t *Table) options() []kad.Option {
	return []kad.Option{
		kad.ProtocolPrefix(protocol.ID("/parley/" + t.cfg.Tag)),
		kad.Mode(kad.ModeAuto), // follows the reachability that Serve makes the host tell
		kad.Validator(record.NamespacedValidator{namespace: t.valid}),
		kad.Datastore(t.store),
		kad.MaxRecordAge(maxLife),
		kad.ValueGCInterval(cleanup),
		kad.ProviderManagerOpts(records.ProvideValidity(roomLife), records.ProviderAddrTTL(roomLife), records.CleanupInterval(cleanup)),
		kad.RoutingTableRefreshPeriod(refresh),
		kad.RoutingTablePeerDiversityFilter(nil), // a site is one subnet
		kad.AddressFilter(dialable),
		kad.OnRequestHook(t.budget.charge),
		kad.WithCustomMessageSender(newSender),
	}
}

// Heard notes that nodes were heard of, by presence or from peers: who serves
// depends on it.
func (t *Table) Heard(ids ...peer.ID) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range ids {
		t.roles.heard(id, now)
	}
}

// SetNick says what the own record names the node from now on.
func (t *Table) SetNick(nick string) {
	t.mu.Lock()
	changed := t.nick != nick
	t.nick = nick
	if changed {
		t.self.again()
	}
	t.mu.Unlock()
	if changed {
		t.poke()
	}
}

// Lookup returns what a node says of itself. Answers up to half an hour old
// serve. Errors: ErrNotFound, ctx's.
func (t *Table) Lookup(ctx context.Context, id peer.ID) (*Record, error) {
	key, err := peerKey(id)
	if err != nil {
		return nil, ErrNotFound
	}
	r, found, err := t.nodes.get(key, func() (*Record, bool, error) { return t.ask(ctx, key) })
	if err == nil && !found {
		err = ErrNotFound
	}
	return r, err
}

// Forget has the next Lookup of a node ask the table: what was found before
// proved wrong.
func (t *Table) Forget(id peer.ID) {
	if key, err := peerKey(id); err == nil {
		t.nodes.entries.Remove(key)
	}
}

func (t *Table) ask(ctx context.Context, key string) (*Record, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTime)
	defer cancel()
	data, err := t.kad.GetValue(ctx, key)
	if ctx.Err() != nil {
		return nil, false, ctx.Err()
	}
	if errors.Is(err, routing.ErrNotFound) || err != nil && t.Servers() == 0 {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	r, err := t.valid.read(key, data)
	return r, err == nil, err
}

// Servers is how many other servers this node can ask.
func (t *Table) Servers() int { return t.kad.RoutingTable().Size() }

// Scarce reports that they are so few that more are wanted.
func (t *Table) Scarce() bool { return t.Servers() < enough }

// Serves reports whether a connected peer serves the table.
func (t *Table) Serves(id peer.ID) bool { return t.kad.RoutingTable().Find(id) != "" }

// Serving reports whether this node serves the table.
func (t *Table) Serving() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.roles.serving
}

// Close ends everything and waits. What was provided is forgotten by others
// within two hours.
func (t *Table) Close() error {
	t.cancel()
	err := t.kad.Close()
	t.wg.Wait()
	t.metrics.unregister(t.cfg.Registerer)
	return errors.Join(err, t.store.Close())
}

func (t *Table) poke() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}
