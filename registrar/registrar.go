// Package registrar is what a node does beside its own work when the network's
// root has made it a registrar: it admits others, by certificates or one-time
// codes, and keeps an audit log of it. A network may have several; each can do
// all of it alone, and none is needed by those who are admitted already.
//
//	r, err := registrar.Open(n, m, registrar.Config{Roots: roots})
//	defer r.Close()
//	err = r.Serve(listener, certificate)
//
// Nodes that cannot reach the address it serves on register over a libp2p stream
// of its node, by the same protocol. docs/protocol/11-registrars.md says what is
// signed and checked; docs/security.md which threat each limit answers.
package registrar

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/internal/audit"
	"github.com/parley-chat/parley/internal/certs"
	"github.com/parley-chat/parley/internal/hello"
	"github.com/parley-chat/parley/internal/ticket"
	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/node"
	"github.com/parley-chat/parley/registrar/internal/codes"
	"github.com/parley-chat/parley/registrar/internal/directory"
	"github.com/parley-chat/parley/registrar/internal/guard"
	"github.com/parley-chat/parley/registrar/internal/places"
	"github.com/parley-chat/parley/registrar/internal/pulse"
)

// Config says how a registrar works. The zero value admits by codes alone.
type Config struct {
	// Roots are the certificate authorities whose certificates admit; nil: none.
	Roots *certs.Roots
	// Suspect and Offline are after how many of its intervals without a heartbeat a
	// node is suspect and offline; zero: 2.5 and 4. Forget is how long the directory
	// shows who is offline; zero: a day.
	Suspect, Offline float64
	Forget           time.Duration
	// Logger is told what the audit log does not tell; nil is silent.
	Logger *slog.Logger

	cosignEvery, linger time.Duration // tests are faster
}

// Registrar admits nodes until Close. Make one with [Open]. Its methods may be
// called by any goroutine.
type Registrar struct {
	node       *node.Node
	chat       *chat.Messenger
	cfg        Config
	log        *slog.Logger
	key        [32]byte // of its peer ID
	codes      *codes.Store
	audit      *audit.Log
	neighbours audit.Neighbours
	guard      *guard.Guard
	refusals   *refusals
	unproven   *guard.Guard // what is verified for callers that have proven nothing
	nonces     *nonces
	members    members
	directory  *directory.Directory
	colleagues *guard.Guard // what other registrars ask
	watchers   *places.Places[peer.ID]
	pulse      *pulse.Pulse  // its own heartbeats
	calls      *places.Sites // under way, of strangers
	waiting    *places.Sites // for a refusal
	mux        http.Handler
	unable     atomic.Bool // to admit anybody, and that was logged

	ctx    context.Context // ends when Close begins
	cancel context.CancelFunc
	wg     sync.WaitGroup // servers, calls and renewItself

	ended    chan struct{} // closed at the end of Close
	closeErr error         // set before

	mu      sync.Mutex
	servers []*http.Server
	closed  bool // nothing is added to wg any more
}

// Open makes a registrar of a running node and its messenger, which the network's
// root has added to the registrars, and registers that node itself. It serves on the node's streams
// at once; for an address of its own see [Registrar.Serve]. Errors: ErrNotRegistrar,
// and those of codes.json and the audit log.
func Open(n *node.Node, m *chat.Messenger, cfg Config) (*Registrar, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	key, err := wire.Author(n.ID())
	if err != nil {
		return nil, err
	}
	now := n.Now()
	r := &Registrar{node: n, chat: m, cfg: cfg, log: cfg.Logger, key: key, guard: guard.New(guard.Config{Local: local}, now), nonces: newNonces(now), refusals: newRefusals(now)}
	r.waiting = places.NewSites(maxUnderWay, maxUnderWayEach)
	r.calls, r.ended = places.NewSites(maxUnderWay, maxUnderWayEach), make(chan struct{})
	r.unproven, r.colleagues, r.members = guard.New(unproven, now), guard.New(colleagues, now), newMembers()
	r.watchers, r.pulse = places.New[peer.ID](maxWatchers, maxWatchersEach), pulse.Of(n)
	r.ctx, r.cancel = context.WithCancel(context.Background())
	if err := r.open(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Registrar) open() (err error) {
	if !r.inSet() {
		return ErrNotRegistrar.WithDo("the network's root adds it: parley registrars add " + r.node.ID().String())
	}
	if r.codes, err = codes.Open(r.node.Dir(), r.node.Now()); err != nil {
		return err
	}
	signer, err := audit.NewSigner(r.node.Network().Tag, r.key, r.node.Sign)
	if err != nil {
		return err
	}
	if r.audit, err = audit.Open(filepath.Join(r.node.Dir(), "audit"), audit.Config{Signer: signer}); err != nil {
		return err
	}
	if err := r.recordLate(); err != nil {
		return err
	}
	if err := r.registerItself(); err != nil {
		return err
	}
	r.directory = directory.Open(directory.Config{
		Self: r.key, Now: r.node.Now, Suspect: r.cfg.Suspect, Offline: r.cfg.Offline, Forget: r.cfg.Forget,
		Revoked: func(key [32]byte) bool { return r.node.Revoked(wire.PeerID(key)) },
	})
	if r.mux, err = r.handler(); err != nil {
		return err
	}
	r.wg.Go(r.renewItself)
	for _, work := range []func(){
		r.noteLogins, r.noteRefusals, r.tellTally, r.noteForwards, r.keepCosigned, r.beatItself, r.shareAll,
	} {
		r.wg.Go(work)
	}
	return r.serveStreams()
}

// inSet reports whether the root has made this node a registrar, and it is one
// still.
func (r *Registrar) inSet() bool { return r.isRegistrar(r.key) }

// Close stops serving, gives calls under way a second, waits for all that is left
// and ends. Further calls wait for the first and return the same.
func (r *Registrar) Close() error {
	r.mu.Lock()
	first := !r.closed
	r.closed = true
	r.mu.Unlock()
	if first {
		r.closeErr = r.end(r.servers) // nothing is added any more
		close(r.ended)
	}
	<-r.ended
	return r.closeErr
}

func (r *Registrar) end(servers []*http.Server) error {
	r.cancel()
	var errs []error
	for _, s := range servers {
		errs = append(errs, shutDown(s))
	}
	r.wg.Wait()
	if r.codes != nil {
		errs = append(errs, r.codes.Close())
	}
	if r.directory != nil {
		r.sayGoodbye() // last, so that no later heartbeat undoes it
		r.directory.Close()
	}
	if r.audit != nil {
		r.writeTally()
		errs = append(errs, r.audit.Close())
	}
	return errors.Join(errs...)
}

// NewCodes makes one-time enrolment codes that are good for life, a minute to a
// year, and returns their texts, which are kept nowhere. ErrNotRegistrar: it was taken
// out of the set, so they would admit nobody.
func (r *Registrar) NewCodes(ctx context.Context, count int, life time.Duration) ([]string, error) {
	if !r.inSet() {
		return nil, ErrNotRegistrar
	}
	made, err := r.codes.New(count, life, r.node.Now())
	if err != nil {
		return nil, err
	}
	texts := make([]string, len(made))
	for i, c := range made {
		texts[i] = c.Text()
		rec := r.complete(caller{}, audit.Record{Op: audit.OpAdmin, Reason: "code", Subject: c.Name(), Actor: r.node.ID().String()})
		if i < len(made)-1 {
			err = r.audit.Write(ctx, rec)
		} else {
			_, err = r.audit.Append(ctx, rec) // and those before it are on disk
		}
		if err != nil {
			return nil, err
		}
	}
	return texts, nil
}

// registerItself hands this node a ticket of its own, if it has none or it is time
// for another. ErrNotRegistrar when it would count nowhere.
func (r *Registrar) registerItself() error {
	if !r.inSet() {
		return ErrNotRegistrar
	}
	now := r.node.Now()
	if t, ok := r.node.Ticket(); ok && t.Registrar == r.node.ID() && now.Before(t.Renew) && !now.Before(t.From) && t.Zone == r.node.Zone() {
		return nil
	}
	signed, _, err := r.issue(r.ctx, grant{peer: r.key, role: uint32(hello.RoleRegistrar), zone: r.node.Zone()}, "registrar", now)
	if err != nil {
		return err
	}
	return r.node.SetTicket(nil, signed)
}

// renewItself keeps the own ticket fresh.
func (r *Registrar) renewItself() {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-tick.C:
		}
		if err := r.registerItself(); err != nil {
			r.log.Error("the registrar's own ticket is not renewed", "err", err)
		}
	}
}

// grant is what a ticket is to say.
type grant struct {
	peer  [32]byte
	role  uint32
	zone  string
	final time.Time // when what it was registered with ends; zero: never
}

// issue signs a ticket, writes it into the registry and says when it is to be
// renewed.
func (r *Registrar) issue(ctx context.Context, g grant, how string, now time.Time) (signed []byte, renew time.Time, err error) {
	p := wire.PeerID(g.peer)
	short, release, err := r.chat.Registry().Reserve(p, g.zone)
	if err != nil {
		return nil, time.Time{}, err
	}
	defer release()
	end := now.Add(ticket.Life)
	if !g.final.IsZero() && g.final.Before(end) {
		end = g.final
	}
	t := ticket.Ticket{
		Network: r.node.Network().ID, Peer: g.peer, Issuer: r.key, Role: g.role, Zone: g.zone,
		Short:     short,
		NotBefore: now.Add(-ticket.Backdate).Truncate(time.Second), NotAfter: end.Truncate(time.Second),
		Final: g.final.Truncate(time.Second),
	}
	if signed, err = t.Sign(r.node.Sign); err != nil {
		return nil, time.Time{}, err
	}
	return signed, t.RenewAt(), r.chat.Registry().Register(ctx, p, g.zone, short, t.NotAfter, how)
}
