package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// crew are the members of a workload, each a process or all in this one.
type crew struct {
	opening   Opening // of each; Dir and Self are its own
	inProcess bool
	dir       string
	hands     []*hand
	addrs     []peer.AddrInfo
}

// hand is one member as its leader has it.
type hand struct {
	rpc  *rpc.Client
	proc *exec.Cmd // nil: in this process
	said *tail     // its last words

	ended chan struct{} // closed once it has, after err is set
	err   error
}

// watch takes note of how the member ended.
func (h *hand) watch(wait func() error) {
	h.err = wait()
	close(h.ended)
}

// MemberArgs make the program a member that is led over its standard input and
// output.
var MemberArgs = []string{"bench", "member"}

// newCrew starts n members. Close it, also after an error.
func newCrew(ctx context.Context, o Opening, inProcess bool) (*crew, error) {
	dir, err := os.MkdirTemp("", "parley-bench-")
	if err != nil {
		return nil, err
	}
	c := &crew{opening: o, inProcess: inProcess, dir: dir, hands: make([]*hand, o.Nodes), addrs: make([]peer.AddrInfo, o.Nodes)}
	return c, c.each(func(i int) error { return c.start(ctx, i) })
}

// start starts member i, again if it ran before.
func (c *crew) start(ctx context.Context, i int) (err error) {
	if err := ctx.Err(); err != nil {
		return err // no more processes once it is interrupted
	}
	if c.inProcess {
		c.hands[i] = hereHand()
	} else if c.hands[i], err = processHand(); err != nil {
		return err
	}
	o := c.opening
	o.Self, o.Dir = i, c.memberDir(i)
	return c.hands[i].call(ctx, "Open", o, &c.addrs[i])
}

func (c *crew) memberDir(i int) string { return filepath.Join(c.dir, strconv.Itoa(i)) }

func hereHand() *hand {
	ours, theirs := net.Pipe()
	h := &hand{rpc: rpc.NewClient(ours), said: &tail{}, ended: make(chan struct{})}
	go h.watch(func() error { return ServeMember(theirs) }) // ends with its pipe; close waits
	return h
}

func processHand() (*hand, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	h := &hand{proc: exec.Command(exe, MemberArgs...), said: &tail{}, ended: make(chan struct{})}
	h.proc.Stderr = h.said
	in, err := h.proc.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := h.proc.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := h.proc.Start(); err != nil {
		return nil, err
	}
	h.rpc = rpc.NewClient(pipes{out, in})
	go h.watch(h.proc.Wait) // ends with the process; close waits
	return h, nil
}

// pipes are a process's output and input as one connection.
type pipes struct {
	io.Reader
	io.WriteCloser
}

// call calls a method of the member and waits until it answers or ctx ends.
func (h *hand) call(ctx context.Context, method string, args, reply any) error {
	return h.callOf(ctx, memberName, method, args, reply)
}

// callOf calls a method of what else the process can be.
func (h *hand) callOf(ctx context.Context, of, method string, args, reply any) error {
	call := h.rpc.Go(of+"."+method, args, reply, make(chan *rpc.Call, 1))
	select {
	case <-call.Done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if errors.Is(call.Error, rpc.ErrShutdown) || errors.Is(call.Error, io.ErrUnexpectedEOF) {
		return fmt.Errorf("a member ended: %s", h.said)
	}
	return call.Error
}

// close ends the member, and may be called again.
func (h *hand) close() error {
	_ = h.rpc.Close() // a member ends with its input
	select {
	case <-h.ended:
		return h.err
	case <-time.After(closing):
		h.kill()
		return fmt.Errorf("a member did not end within %v: %s", closing, h.said)
	}
}

// closing is how long a member may take to end.
const closing = 20 * time.Second

// kill ends the member's process as a loss of power would.
func (h *hand) kill() {
	if h.proc != nil {
		_ = h.proc.Process.Kill() // it may have ended
		<-h.ended
	}
}

// each calls f for all members, eight at a time, and returns the first errors.
func (c *crew) each(f func(i int) error) error {
	errs := make([]error, len(c.hands))
	var wg sync.WaitGroup
	turn := make(chan struct{}, 8)
	for i := range c.hands {
		turn <- struct{}{}
		wg.Go(func() {
			defer func() { <-turn }()
			errs[i] = f(i)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// all calls a method of all members at once; the answers are in their order.
func all[Reply any](ctx context.Context, c *crew, members []int, method string, args any) ([]Reply, error) {
	replies, errs := make([]Reply, len(members)), make([]error, len(members))
	var wg sync.WaitGroup
	for i, m := range members {
		wg.Go(func() { errs[i] = c.hands[m].call(ctx, method, args, &replies[i]) })
	}
	wg.Wait()
	return replies, errors.Join(errs...)
}

// meet has everybody meet everybody, and waits until all know of all.
func (c *crew) meet(ctx context.Context) error {
	err := c.each(func(i int) error { return c.hands[i].call(ctx, "Meet", c.addrs[:i], &None{}) })
	if err != nil {
		return err
	}
	_, err = all[None](ctx, c, c.members(), "Await", Company{len(c.hands) - 1, meeting})
	return err
}

// meeting is how long it may take until all know of all.
const meeting = 3 * time.Minute

// begin tells all that what counts begins now. Each process writes a processor
// profile to dir, if there is one.
func (c *crew) begin(ctx context.Context, dir string) error {
	if dir != "" {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	return c.each(func(i int) error {
		file := ""
		if dir != "" && (i == 0 || !c.inProcess) {
			file = filepath.Join(dir, strconv.Itoa(i)+".pprof")
		}
		return c.hands[i].call(ctx, "Begin", file, &None{})
	})
}

// members are the numbers of all.
func (c *crew) members() []int {
	out := make([]int, len(c.hands))
	for i := range out {
		out[i] = i
	}
	return out
}

// use is what all processes together have used, and the most memory of one.
func (c *crew) use(ctx context.Context, members []int) (u Use, err error) {
	if c.inProcess {
		members = members[:1]
	}
	uses, err := all[Use](ctx, c, members, "Use", None{})
	for _, one := range uses {
		u.CPU += one.CPU
		u.RSS = max(u.RSS, one.RSS)
	}
	return u, err
}

// close ends all members and removes what they wrote: processes need not put it
// in order before. Those that were stopped would not end by themselves.
func (c *crew) close() error {
	var wg sync.WaitGroup
	for _, h := range c.hands {
		if h != nil {
			wg.Go(func() {
				h.kill()
				_ = h.close() // says that it was killed
			})
		}
	}
	wg.Wait()
	return os.RemoveAll(c.dir)
}

// tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	end []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end = append(t.end, b...)
	t.end = t.end[max(0, len(t.end)-2000):]
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.end))
}
