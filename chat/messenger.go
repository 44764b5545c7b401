package chat

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/parley-chat/parley/internal/appsignal"
	"github.com/parley-chat/parley/internal/delivery"
	"github.com/parley-chat/parley/internal/direct"
	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/presence"
	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/node"
)

// Config says how a Messenger is opened. The zero value is good.
type Config struct {
	// Nick is the name to be known by, 1 to 64 characters; it is remembered.
	// Empty: the one remembered, else none (others show the end of the peer ID).
	Nick string
	// DefaultNick is the name to begin with: it is taken, and remembered, when
	// Nick is empty and none is remembered. One that cannot be a nick is not.
	DefaultNick string
	// Retention says how much is kept; the zero value keeps all.
	Retention Retention
	// Logger gets the log; nil is the node's.
	Logger *slog.Logger
	// Registerer gets the metrics, until Close; nil registers none. One per
	// Messenger at a time.
	Registerer prometheus.Registerer
}

// Messenger is an open messenger on a running node. Make one with Open.
type Messenger struct {
	node     *node.Node
	id       peer.ID
	self     event.Author
	log      *slog.Logger
	store    *eventlog.Store
	clock    event.Clock // the node's one hybrid clock
	delivery *delivery.Service
	direct   atomic.Pointer[direct.Service]   // nil until Open has started it
	presence atomic.Pointer[presence.Service] // nil until Open has started it
	signals  *appsignal.Service
	registry *Registry
	hub      hub

	listeners listeners
	metrics   *registerer // nil without a registry

	changing chan struct{} // holds a token while one joins, leaves or names: one at a time

	mu      sync.Mutex // over the fields below; never held while waiting
	closed  bool
	failed  error // the first failure to read the store for Updates
	nick    string
	ignored map[event.Author]struct{}
	rooms   map[string]*Room // by comparison key, joined now or once
	byLog   map[event.LogID]*conversation

	ctx    context.Context // ends when Close begins
	cancel context.CancelFunc
	wg     sync.WaitGroup
	once   sync.Once
	end    error
}

// Open opens the store in the node's directory, rejoins the rooms that were
// joined, and starts replication and presence. ctx bounds the opening only.
// A node has one Messenger at a time: a second one gets ErrInUse, and
// does not disturb the first. Errors: ErrInUse, ErrWrongKey, ErrDamaged,
// ErrReadOnly, ErrDiskFull, ErrNewerStore, ErrNick, ctx's.
func Open(ctx context.Context, n *node.Node, cfg Config) (*Messenger, error) {
	m := &Messenger{
		node: n, id: n.ID(), log: cfg.Logger, changing: make(chan struct{}, 1),
		ignored: make(map[event.Author]struct{}),
		rooms:   make(map[string]*Room), byLog: make(map[event.LogID]*conversation),
	}
	if m.log == nil {
		m.log = n.Logger()
	}
	if cfg.Registerer != nil {
		m.metrics = &registerer{Registerer: cfg.Registerer}
		cfg.Registerer = m.metrics
	}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	if err := m.open(ctx, cfg); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

func (m *Messenger) open(ctx context.Context, cfg Config) (err error) {
	if m.self, err = wire.Author(m.id); err != nil {
		return err
	}
	if cfg.Nick != "" {
		if _, err := cleanNick(cfg.Nick); err != nil {
			return err
		}
	}
	m.registry = newRegistry(m)
	m.store, err = eventlog.Open(ctx, eventlog.Options{
		Dir: filepath.Join(m.node.Dir(), "store"), Key: m.node.StoreKey(), Light: m.node.Light(),
		Logger: m.log, Registerer: cfg.Registerer,
	})
	if err != nil {
		return err
	}
	if err := m.recall(ctx); err != nil {
		return err
	}
	first, err := m.leaseSignals()
	if err != nil {
		return err
	}
	if err := m.openSignals(first, cfg.Registerer); err != nil {
		return err
	}
	if err := m.openDelivery(cfg.Registerer); err != nil {
		return err
	}
	if err := m.openRegistry(ctx); err != nil {
		return err
	}
	if err := m.openDirect(cfg.Registerer); err != nil {
		return err
	}
	if err := m.openPresence(first, cfg.Registerer); err != nil {
		return err
	}
	m.wg.Go(m.welcome)
	m.wg.Go(m.askForLost)
	m.wg.Go(m.keepRegistry)
	m.wg.Go(m.forgetKeys)
	m.wg.Go(m.keepHolds)
	m.wg.Go(func() { m.keepRetention(cfg.Retention) })
	return m.openNick(ctx, cfg)
}

func (m *Messenger) openNick(ctx context.Context, cfg Config) error {
	nick := cfg.Nick
	if _, err := cleanNick(cfg.DefaultNick); nick == "" && m.ownNick() == "" && err == nil {
		nick = cfg.DefaultNick
	}
	if nick == "" {
		return nil
	}
	return m.SetNick(ctx, nick)
}

// openDelivery starts replication of the rooms that were joined.
func (m *Messenger) openDelivery(reg prometheus.Registerer) (err error) {
	m.delivery, err = delivery.New(delivery.Config{
		Host: m.node.Host(), PubSub: m.node.PubSub(), Store: m.store, Clock: &m.clock, Near: m.node.Near, Now: m.node.Now,
		Tag: m.node.Network().Tag, Author: m.self, Sign: m.node.Sign,
		Stored: m.stored, Logger: m.log, Registerer: reg,
	})
	if err != nil {
		return err
	}
	for _, r := range m.rooms {
		if !r.Joined() {
			continue
		}
		if err := r.start(); err != nil {
			return err
		}
	}
	return nil
}

func (m *Messenger) openPresence(first uint64, reg prometheus.Registerer) error {
	network := m.node.Network()
	p, err := presence.Start(presence.Config{
		Host: m.node.Host(), PubSub: m.node.PubSub(), Tag: network.Tag, Network: network.ID,
		Author: m.self, Sign: m.node.Sign, FirstSeq: first, Now: m.node.Now,
		Local: m.local, Heard: m.heard, Changed: m.peerChanged,
		Logger: m.log, Registerer: reg,
	})
	if err != nil {
		return err
	}
	m.presence.Store(p)
	return nil
}

// welcome sends a signal, and what waits in the direct chat, to each peer that
// is admitted.
func (m *Messenger) welcome() {
	for c := range m.node.Watch(m.ctx) {
		if c.Admitted {
			m.presence.Load().Greet(c.ID)
			m.registry.heardNewest(c.ID)
			if author, err := wire.Author(c.ID); err == nil {
				m.direct.Load().Met(author)
			}
		}
	}
}

// askForLost asks for what gossip dropped.
func (m *Messenger) askForLost() {
	for {
		select {
		case <-m.node.GossipLost():
			m.delivery.Lost()
		case <-m.ctx.Done():
			return
		}
	}
}

// forgetKeys deletes, once a day, the keys of messages that are too old to
// matter.
func (m *Messenger) forgetKeys() {
	daily := time.NewTicker(24 * time.Hour)
	defer daily.Stop()
	for {
		if err := m.delivery.ForgetKeys(m.ctx); err != nil && m.ctx.Err() == nil {
			m.log.Warn("old keys of messages stay", "err", err)
		}
		select {
		case <-daily.C:
		case <-m.ctx.Done():
			return
		}
	}
}

// Close says goodbye, ends all goroutines, waits for them and closes the store.
// It may be called more than once. Updates end; other calls fail with
// ErrClosed.
func (m *Messenger) Close() error {
	m.once.Do(func() {
		m.mu.Lock()
		m.closed = true
		m.mu.Unlock()
		m.cancel()
		m.wg.Wait()
		if m.signals != nil {
			m.signals.Close()
		}
		if p := m.presence.Load(); p != nil {
			p.Close()
		}
		if d := m.direct.Load(); d != nil {
			d.Close()
		}
		if m.delivery != nil {
			m.delivery.Close() // a change under way fails, at the latest where it writes
		}
		m.changing <- struct{}{} // kept: it has ended, and none begins
		if m.delivery != nil {
			for _, r := range m.rooms {
				if r.Joined() {
					m.node.Table().Withdraw(r.log)
				}
			}
		}
		if m.store != nil {
			m.saveHolds(len(m.rooms))
			m.end = m.store.Close()
		}
		if m.metrics != nil {
			m.metrics.release()
		}
	})
	return m.end
}

// alive reports ErrClosed once Close has begun.
func (m *Messenger) alive() error {
	if m.ctx.Err() != nil {
		return ErrClosed
	}
	return nil
}

// change begins a change of what is joined, named or ignored, and returns what
// ends it. Errors: ErrClosed, ctx's.
func (m *Messenger) change(ctx context.Context) (end func(), err error) {
	if err := m.alive(); err != nil {
		return nil, err
	}
	select {
	case m.changing <- struct{}{}:
		if err := m.alive(); err != nil { // both were ready
			<-m.changing
			return nil, err
		}
		return func() { <-m.changing }, nil
	case <-m.ctx.Done():
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// ID returns the peer ID that own messages bear as their author.
func (m *Messenger) ID() peer.ID { return m.id }
