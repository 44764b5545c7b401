package bench

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/chat"
)

// DirectOptions say what two write to each other; one of them does.
type DirectOptions struct {
	InFlight  int // messages not yet acknowledged, at most
	Size      int
	For       time.Duration
	Transport string
	Loss      float64
	InProcess bool
	Profiles  string
}

// Direct measures a direct chat: each message is safe on the disks of both when
// it is acknowledged.
func Direct(ctx context.Context, o DirectOptions, say Say) (*Result, error) {
	say("starting %d members", 2)
	c, err := newCrew(ctx, Opening{Nodes: 2, Transport: o.Transport, Loss: o.Loss}, o.InProcess)
	if c != nil {
		defer func() { _ = c.close() }()
	}
	if err != nil {
		return nil, err
	}
	r := &Result{
		Workload: "direct", Nodes: 2, Senders: 1, InFlight: o.InFlight, Size: o.Size, Transport: o.Transport, LossRate: o.Loss,
		Carried: &Carried{},
	}
	if r.SyncMS, err = syncTime(c.dir); err != nil {
		return nil, err
	}
	if err := c.meet(ctx); err != nil {
		return nil, err
	}
	order := DirectOrder{To: c.addrs[1].ID, InFlight: o.InFlight, Size: o.Size, For: time.Second, Wait: acknowledging}
	if err := c.hands[0].call(ctx, "Direct", order, &DirectTally{}); err != nil { // the chat opens, connections grow warm
		return nil, err
	}
	if err := c.begin(ctx, o.Profiles); err != nil {
		return nil, err
	}
	say("both have met; one sends for %v, %d at a time", o.For, o.InFlight)
	before, err := c.use(ctx, c.members())
	if err != nil {
		return nil, err
	}
	var t DirectTally
	order.For = o.For
	if err := c.hands[0].call(ctx, "Direct", order, &t); err != nil {
		return nil, err
	}
	after, err := c.use(ctx, c.members())
	if err != nil {
		return nil, err
	}
	took, err := hdrhistogram.Decode(t.Latencies)
	if err != nil {
		return nil, err
	}
	r.percentiles(took)
	r.Sent, r.Lost, r.Seconds, r.RSS = t.Count, t.Lost, t.Took.Seconds(), after.RSS/1e6
	r.PerSecond = float64(t.Count-t.Lost) / r.Seconds
	r.CPU = float64((after.CPU - before.CPU).Microseconds()) / float64(max(1, t.Count))
	_, err = all[None](ctx, c, c.members(), "EndProfile", None{})
	return r, err
}

// acknowledging is how long after the last message acknowledgements may take.
const acknowledging = 2 * time.Minute

// syncTime is how long it takes to make a small write durable on the disk of
// dir: the median of a hundred.
func syncTime(dir string) (_ float64, err error) {
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	took := hdrhistogram.New(lowest, highest, digits)
	for range 100 {
		begun := time.Now()
		if _, err := f.Write(make([]byte, 512)); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		_ = took.RecordValue(max(lowest, int64(time.Since(begun))))
	}
	return ms(time.Duration(took.ValueAtQuantile(50))), nil
}

// DirectOrder says what to send to whom.
type DirectOrder struct {
	To       peer.ID
	InFlight int
	Size     int
	For      time.Duration
	Wait     time.Duration // then, for acknowledgements
}

// DirectTally is what was sent, and how much of it was not acknowledged.
type DirectTally struct {
	Count     int
	Lost      int
	Took      time.Duration
	Latencies []byte // an encoded hdrhistogram
}

// Direct sends to one other and returns when he has acknowledged all, or the
// time is over.
func (m *Member) Direct(o DirectOrder, t *DirectTally) error {
	p, ok := m.party.(*ours)
	if !ok {
		return errors.New("the baseline has no direct chats")
	}
	ctx, cancel := context.WithTimeout(m.ctx, o.For+o.Wait)
	defer cancel()
	a := &acks{free: make(chan struct{}, o.InFlight), at: make(map[uint64]time.Time), took: hdrhistogram.New(lowest, highest, digits)}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	begun, cursor := time.Now(), p.chat.LastCursor()
	wg.Go(func() { a.follow(ctx, p.chat, o.To, cursor) })
	texts := func(yield func(chat.Content) bool) {
		for {
			select {
			case a.free <- struct{}{}:
			case <-ctx.Done():
				return
			}
			now := time.Now()
			if now.Sub(begun) >= o.For || !yield(chat.Text(stamp(m.opening.Self, t.Count, now, o.Size))) {
				<-a.free
				return
			}
			t.Count++
		}
	}
	for _, err := range p.chat.Direct(o.To).SendAll(ctx, texts) {
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	t.Lost = o.InFlight - a.freed(ctx)
	if err := m.ctx.Err(); err != nil {
		return err
	}
	t.Took = time.Since(begun)
	return a.tell(t)
}

// acks follows what becomes of the messages of one direct chat.
type acks struct {
	free chan struct{} // holds a token for each message under way

	mu   sync.Mutex
	at   map[uint64]time.Time // when what is not acknowledged was sent, by seq
	upTo uint64               // acknowledged
	took *hdrhistogram.Histogram
}

// freed waits until all places are free, that is all is acknowledged, or ctx
// ends, and returns how many are.
func (a *acks) freed(ctx context.Context) int {
	for n := range cap(a.free) {
		select {
		case a.free <- struct{}{}:
		case <-ctx.Done():
			return n
		}
	}
	return cap(a.free)
}

// follow takes note of what is sent and of what is acknowledged.
func (a *acks) follow(ctx context.Context, m *chat.Messenger, to peer.ID, cursor uint64) {
	for u := range m.Updates(ctx, cursor) {
		switch u := u.(type) {
		case chat.MessageAdded:
			if u.Message.Self && u.Message.Direct == to {
				a.sent(u.Message)
			}
		case chat.StateChanged:
			if u.Direct == to && u.State != chat.StateSent {
				a.acked(u.Seq)
			}
		case chat.Lagged: // the newest states, of what may be under way, may be among what was dropped
			for msg, err := range m.Direct(to).History(ctx, chat.Query{Limit: cap(a.free)}) {
				if err == nil && msg.Self && (msg.State == chat.StateDelivered || msg.State == chat.StateRead) {
					a.acked(msg.Seq)
				}
			}
		}
	}
}

func (a *acks) sent(msg chat.Message) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, _, at, ok := stamped(msg.Text); ok {
		a.at[msg.Seq] = at
		a.settle(msg.Seq)
	}
}

func (a *acks) acked(seq uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.upTo < seq {
		a.upTo++
		a.settle(a.upTo)
	}
}

// settle counts message seq if it was both seen and acknowledged.
func (a *acks) settle(seq uint64) {
	at, seen := a.at[seq]
	if !seen || seq > a.upTo {
		return
	}
	delete(a.at, seq)
	_ = a.took.RecordValue(min(max(int64(time.Since(at)), lowest), highest))
	<-a.free
}

func (a *acks) tell(t *DirectTally) (err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t.Latencies, err = a.took.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	return err
}
