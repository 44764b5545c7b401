package bench

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/heartbeat"
	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/registrar/client"
)

const (
	// registerEvery: of so many calls one is a registration, the others are heartbeats.
	registerEvery = 10
	// callTime is what a call may take before it has failed.
	callTime = 10 * time.Second
	// maxCalling is how many calls are under way at most: then the next ones are late,
	// and it shows in how long they take.
	maxCalling = 4096
	// maxEntering is how many connect and register at once.
	maxEntering = 64
	// callersGC is how much the heap of callers grows, in percent, until it is collected.
	callersGC = 400
)

// Callers is a process with many clients of a registrar, each with a key and a
// connection of its own.
type Callers struct {
	ctx     context.Context
	network [32]byte
	clients []*caller
}

// callersName is that of the service.
const callersName = "Callers"

type caller struct {
	rpc *client.Client

	mu        sync.Mutex
	applicant client.Applicant // with its code, then with its ticket
	beat      heartbeat.Heartbeat
	stranger  bool // the registrar is to be shown the ticket
}

// Crowd says who is to register where.
type Crowd struct {
	At    Desk
	Codes []string // one for each
}

// Calls is what became of calls. A call takes from when it is due until it is
// answered.
type Calls struct {
	Done, Failed, Registrations int
	Why                         string // the last failure
	Took                        time.Duration
	Mean                        float64 // ms
	Latencies                   []byte  // an encoded hdrhistogram
}

// Enter has all connect and register, each for the first time, as fast as it goes.
func (c *Callers) Enter(crowd Crowd, out *Calls) error {
	debug.SetGCPercent(callersGC)
	c.network = crowd.At.Network
	for _, code := range crowd.Codes {
		one, err := newCaller(crowd.At, code)
		if err != nil {
			return err
		}
		c.clients = append(c.clients, one)
	}
	r := newRun()
	r.pace(c.ctx, 0, len(c.clients), func(ctx context.Context, i int) error {
		r.registered()
		if err := c.clients[i].register(ctx); err != nil {
			return err
		}
		return c.clients[i].tell(ctx, c.network)
	})
	return r.tell(out)
}

// Load is how much is asked of a registrar.
type Load struct {
	Rate float64 // a second, of all together
	For  time.Duration
}

// Call has the clients call in turn.
func (c *Callers) Call(l Load, out *Calls) error {
	r := newRun()
	r.pace(c.ctx, l.Rate, int(l.Rate*l.For.Seconds()), func(ctx context.Context, i int) error {
		one := c.clients[i%len(c.clients)]
		// The turn shifts by one each time round, or the same ones would register ever again.
		if (i+i/len(c.clients))%registerEvery == 0 {
			r.registered()
			return one.register(ctx)
		}
		return one.tell(ctx, c.network)
	})
	return r.tell(out)
}

func newCaller(at Desk, code string) (*caller, error) {
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	pub, err := crypto.UnmarshalEd25519PublicKey(public)
	if err != nil {
		return nil, err
	}
	id, err := peer.IDFromPublicKey(pub)
	if err != nil {
		return nil, err
	}
	author, err := wire.Author(id)
	if err != nil {
		return nil, err
	}
	sign := func(msg []byte) []byte { return ed25519.Sign(key, msg) }
	return &caller{
		rpc:       client.OverTLS(at.Addr, &at.Fingerprint),
		applicant: client.Applicant{Network: at.Network, Peer: id, Sign: sign, Code: code},
		beat:      heartbeat.Heartbeat{Author: author, Interval: heartbeat.MaxInterval, Version: "bench"},
		stranger:  true,
	}, nil
}

// register gets a ticket, or another one.
func (c *caller) register(ctx context.Context) error {
	c.mu.Lock()
	a := c.applicant
	c.mu.Unlock()
	g, err := c.rpc.Register(ctx, a)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.applicant.Code, c.applicant.Ticket = "", g.Ticket
	return nil
}

// tell sends a heartbeat, with the ticket if the registrar wants it. Those of one
// client come in order: one that a later one overtook would be refused.
func (c *caller) tell(ctx context.Context, network [32]byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range 2 {
		c.beat.Seq++
		c.beat.Time = time.Now().UnixMilli()
		var ticket []byte
		if c.stranger {
			ticket = c.applicant.Ticket
		}
		b, err := c.rpc.Heartbeat(ctx, c.beat.Encode(network, c.applicant.Sign), ticket)
		if err != nil {
			return err
		}
		if c.stranger = b.TicketWanted; !c.stranger {
			return nil
		}
	}
	return fmt.Errorf("the registrar wants a ticket that it was shown")
}

func (c *Callers) close() error {
	for _, one := range c.clients {
		one.rpc.Close()
	}
	return nil
}

// run notes what becomes of calls.
type run struct {
	begun time.Time
	wg    sync.WaitGroup

	mu   sync.Mutex
	out  Calls
	took *hdrhistogram.Histogram
}

func newRun() *run {
	return &run{begun: time.Now(), took: hdrhistogram.New(lowest, highest, digits)}
}

// pace makes n calls, each when it is due, and waits for all. Without a rate one is due
// when there is room among maxEntering.
func (r *run) pace(ctx context.Context, rate float64, n int, call func(ctx context.Context, i int) error) {
	free := make(chan struct{}, maxCalling)
	if rate == 0 {
		free = make(chan struct{}, maxEntering)
	}
	for i := range n {
		due := time.Now()
		if rate > 0 {
			due = r.begun.Add(time.Duration(float64(i) / rate * float64(time.Second)))
		}
		if !sleep(ctx, time.Until(due)) {
			break
		}
		free <- struct{}{}
		r.wg.Go(func() {
			defer func() { <-free }()
			ctx, cancel := context.WithTimeout(ctx, callTime)
			defer cancel()
			r.note(call(ctx, i), time.Since(due))
		})
	}
	r.wg.Wait()
	r.out.Took = time.Since(r.begun)
}

func (r *run) registered() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.out.Registrations++
}

func (r *run) note(err error, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.out.Done++
	if err != nil {
		r.out.Failed++
		r.out.Why = err.Error()
		return
	}
	_ = r.took.RecordValue(min(took.Nanoseconds(), highest)) // in range
}

func (r *run) tell(out *Calls) (err error) {
	*out = r.out
	out.Mean = r.took.Mean() / 1e6
	out.Latencies, err = r.took.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	return err
}
