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
// decides who serves, one has at most eight others publish and search; those of
// go-libp2p-kad-dht come on top.
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

	kad "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p-kad-dht/records"
	record "github.com/libp2p/go-libp2p-record"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
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
	store   *bounded
	metrics *metrics
	budget  *budgets
	nodes   *cache[*Record]
	look    func(key string) (*Record, bool, error) // ask, except in tests
	within  time.Duration                           // that a look-up ends: queryTime, except in tests
	valid   validator
	wake    chan struct{}

	mu    sync.Mutex
	roles *roles
	nick  string
	rooms map[[32]byte]*room
	self  task // publishing the own record
	hired int  // workers

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	once   sync.Once
	end    error // of Close
}

// Open starts the node's part in the table. Errors are of the host and of
// metrics; what is wrong with Dir costs what others told before, no more.
func Open(cfg Config) (*Table, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	m := newMetrics()
	t := &Table{
		cfg: cfg, log: cfg.Logger, metrics: m,
		valid: validator{cfg.Network, cfg.Now},
		nodes: newCache(m.lookups, func(r *Record) time.Duration { return r.Expiry.Sub(cfg.Now()) }),
		wake:  make(chan struct{}, 1), roles: newRoles(cfg.Host.ID()), rooms: make(map[[32]byte]*room),
	}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	t.look, t.within = t.ask, queryTime
	t.budget, t.store = newBudgets(t.holds), openStore(cfg.Dir, t.log)
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
	dialTime  = 3 * time.Second  // for one node of it: servers may name such as never answer
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

// Heard notes that nodes themselves were heard, by a signal: who serves depends
// on it. What others tell of a node is not enough.
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
// serve, if they have not expired. It takes half a minute at most. Errors:
// ErrNotFound, also when servers do not answer in time and after Close; ctx's.
func (t *Table) Lookup(ctx context.Context, id peer.ID) (*Record, error) {
	key, err := peerKey(id)
	if err != nil {
		return nil, ErrNotFound
	}
	r, found, err := t.nodes.get(ctx, key, func() (*Record, bool, error) { return t.look(key) })
	if err == nil && !found {
		err = ErrNotFound
	}
	return r, err
}

// Forget has the next Lookup of a node ask the table: what was found before
// proved wrong.
func (t *Table) Forget(id peer.ID) {
	if key, err := peerKey(id); err == nil {
		t.nodes.forget(key)
	}
}

// ask asks the table. Of a search that is cut short the best record counts: it
// is good by itself.
func (t *Table) ask(key string) (*Record, bool, error) {
	if !t.begin() {
		return nil, false, ErrNotFound
	}
	defer t.wg.Done()
	ctx, cancel := context.WithTimeout(network.WithDialPeerTimeout(t.ctx, dialTime), t.within)
	defer cancel()
	data, err := t.kad.GetValue(ctx, key)
	if r, bad := t.valid.read(key, data); bad == nil {
		return r, true, nil
	}
	if err == nil || errors.Is(err, routing.ErrNotFound) || ctx.Err() != nil || t.Servers() == 0 {
		return nil, false, nil
	}
	return nil, false, err
}

// begin says that something begins for which Close has to wait, unless it was
// called. The end of it is t.wg.Done.
func (t *Table) begin() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ctx.Err() != nil {
		return false
	}
	t.wg.Add(1)
	return true
}

// Servers is how many other servers this node can ask.
func (t *Table) Servers() int { return t.kad.RoutingTable().Size() }

// Scarce reports that they are so few that more are wanted.
func (t *Table) Scarce() bool { return t.Servers() < enough }

// Known returns the servers that are known, in no order.
func (t *Table) Known() []peer.ID { return t.kad.RoutingTable().ListPeers() }

// Serving reports whether this node serves the table.
func (t *Table) Serving() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.roles.serving
}

// Close ends everything and waits, as does each further call, with the same
// error. What was provided is forgotten by others within two hours.
func (t *Table) Close() error {
	t.once.Do(func() {
		t.mu.Lock() // nothing begins from here on
		t.cancel()
		t.mu.Unlock()
		err := t.kad.Close()
		t.wg.Wait()
		t.metrics.unregister(t.cfg.Registerer)
		t.end = errors.Join(err, t.store.Close())
	})
	return t.end
}

func (t *Table) poke() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}
