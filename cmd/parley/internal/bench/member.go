package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/rpc"
	"os"
	"runtime/pprof"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// Member is one member of a workload, as its leader calls it by net/rpc.
type Member struct {
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	party  party
	seen   *seen
	usage  *usage
	mended int // repaired before the first message was sent

	opening Opening
	own     voices // the senders that it is

	profile *os.File // of the processor, while it is written
}

// ServeMember is one member: it obeys what comes over the connection until its
// end.
func ServeMember(conn io.ReadWriteCloser) error {
	m := &Member{usage: newUsage()}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	s := rpc.NewServer()
	office, callers := &Office{ctx: m.ctx, usage: m.usage}, &Callers{ctx: m.ctx}
	for name, does := range map[string]any{memberName: m, officeName: office, callersName: callers} {
		if err := s.RegisterName(name, does); err != nil {
			return err
		}
	}
	s.ServeConn(&untilEnd{conn, m.cancel})
	return errors.Join(m.close(), callers.close(), office.close())
}

// untilEnd ends what is under way with the connection: net/rpc would wait for it.
type untilEnd struct {
	io.ReadWriteCloser
	ended context.CancelFunc
}

func (c *untilEnd) Read(b []byte) (int, error) {
	n, err := c.ReadWriteCloser.Read(b)
	if err != nil {
		c.ended()
	}
	return n, err
}

// memberName is that of the service.
const memberName = "Member"

func (m *Member) close() error {
	m.cancel()
	m.wg.Wait()
	if m.party == nil {
		return nil
	}
	return m.party.close()
}

// None is no argument, or no answer.
type None struct{}

// Open starts the party and listens to what comes. It answers with its address.
func (m *Member) Open(o Opening, addr *peer.AddrInfo) (err error) {
	m.opening, m.own, m.seen = o, o.voices(), newSeen(o.Senders)
	if m.party, err = openParty(m.ctx, o); err != nil {
		return err
	}
	m.wg.Go(func() { m.party.listen(m.ctx, func(text string) { m.seen.note(text, time.Now()) }) })
	m.wg.Go(m.watchUsage)
	*addr = m.party.addr()
	return nil
}

// watchUsage looks at the memory, so that its peak is known.
func (m *Member) watchUsage() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			_, _, _ = m.usage.read() // what fails here fails when it is asked for
		case <-m.ctx.Done():
			return
		}
	}
}

// Meet tells of others to connect with.
func (m *Member) Meet(others []peer.AddrInfo, _ *None) error {
	m.party.meet(m.ctx, others)
	return nil
}

// Company says how many others there are to be.
type Company struct {
	Others  int
	Timeout time.Duration
}

// Await waits until that many others are in the room.
func (m *Member) Await(c Company, _ *None) error {
	ctx, cancel := context.WithTimeout(m.ctx, c.Timeout)
	defer cancel()
	for m.party.others() < c.Others {
		if !sleep(ctx, 20*time.Millisecond) {
			return fmt.Errorf("member %d knows %d of %d others after %v", m.opening.Self, m.party.others(), c.Others, c.Timeout)
		}
	}
	return nil
}

// Begin says that what counts begins now. It writes a processor profile to
// file, if there is one, until the tally.
func (m *Member) Begin(file string, _ *None) (err error) {
	if m.mended, err = m.party.repaired(); err != nil || file == "" {
		return err
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	m.profile = f
	return pprof.StartCPUProfile(f)
}

// EndProfile ends the profile, if there is one.
func (m *Member) EndProfile(None, *None) error {
	if m.profile == nil {
		return nil
	}
	pprof.StopCPUProfile()
	f := m.profile
	m.profile = nil
	return f.Close()
}

// Order says what to send.
type Order struct {
	Rate float64 // a second, of each sender; 0: as much as goes
	Size int     // bytes of a text
	For  time.Duration
}

// Sent is what was sent. At full speed the first counts from when it was
// called, as do all.
type Sent struct {
	Count  int
	First  time.Time
	Failed int
	Why    string // the first failure
}

// Send sends until the time is over and returns when all is acknowledged.
func (m *Member) Send(o Order, sent *Sent) error {
	sent.First = time.Now()
	for err := range m.party.send(m.ctx, m.texts(o, sent)) {
		if err != nil {
			sent.Failed++
			sent.Why = err.Error()
		}
	}
	return m.ctx.Err()
}

// texts yields stamped texts, each when it is due. At a set rate the stamp is
// the time at which it is due: a sender that falls behind shows as latency.
func (m *Member) texts(o Order, sent *Sent) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		end, rate := sent.First.Add(o.For), o.Rate*float64(m.own.count)
		phase := m.opening.phase()
		for {
			at := time.Now()
			if rate > 0 {
				at = sent.First.Add(time.Duration((float64(sent.Count) + phase) / rate * float64(time.Second)))
			}
			sender, index := m.own.next(sent.Count)
			if !at.Before(end) || !sleep(m.ctx, time.Until(at)) || !yield(stamp(sender, index, at, o.Size)) {
				return
			}
			sent.Count++
		}
	}
}

// Awaited says what is to have come.
type Awaited struct {
	Sent    []int // of each sender
	Timeout time.Duration
}

// Tally is what a member has received.
type Tally struct {
	Missing   int
	Twice     int
	Repaired  int
	Last      time.Time
	Silence   time.Duration
	Latencies []byte // an encoded hdrhistogram
}

// Tally waits until all has come or the time is over.
func (m *Member) Tally(a Awaited, t *Tally) (err error) {
	ctx, cancel := context.WithTimeout(m.ctx, a.Timeout)
	defer cancel()
	want := m.opening.awaited(a.Sent)
	for ctx.Err() == nil {
		more := m.seen.next()
		if t.Missing = m.seen.missing(want, m.own); t.Missing == 0 {
			break
		}
		select {
		case <-more:
		case <-ctx.Done():
		}
	}
	repaired, err := m.party.repaired()
	t.Repaired = repaired - m.mended
	return errors.Join(err, m.seen.tell(t), m.EndProfile(None{}, nil))
}

// Use is what a process has used.
type Use struct {
	CPU time.Duration
	RSS float64 // bytes, the most seen

	Traffic int64 // bytes on streams, both ways
}

// Use tells it.
func (m *Member) Use(_ None, u *Use) (err error) {
	u.Traffic = m.party.traffic()
	u.CPU, u.RSS, err = m.usage.read()
	return err
}

// sleep returns false if ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
