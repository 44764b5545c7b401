package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// StartOptions say what is stored when a node starts, and how often it does.
type StartOptions struct {
	Events int // in all
	Rooms  int
	Rounds int
}

// Start measures how long it takes from starting the program to its line
// ready, after a clean end and after a kill, and from starting two fresh
// nodes, of which one knows the other's address, to the first message of the
// one shown by the other. It runs the program as a person does.
func Start(ctx context.Context, o StartOptions, say Say) (_ *Result, err error) {
	dir, err := os.MkdirTemp("", "parley-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r := &Result{Workload: "start", Nodes: 1, Size: startSize, Transport: TCP, Events: o.Events}
	full := filepath.Join(dir, "full")
	say("storing %d messages in %d rooms", o.Events, o.Rooms)
	if err := fill(ctx, full, o); err != nil {
		return nil, err
	}
	say("starting %d times each way", o.Rounds)
	var killed, clean, first []float64
	for range o.Rounds + 1 { // the first start is after a clean end
		took, err := started(ctx, full, true)
		if err != nil {
			return nil, err
		}
		killed = append(killed, took)
	}
	for range o.Rounds + 1 { // the first start is after a kill, the last end removes what kills leave
		took, err := started(ctx, full, false)
		if err != nil {
			return nil, err
		}
		clean = append(clean, took)
	}
	for i := range o.Rounds {
		took, err := firstMessage(ctx, filepath.Join(dir, strconv.Itoa(i)))
		if err != nil {
			return nil, err
		}
		first = append(first, took)
	}
	r.ReadyMS, r.KilledMS, r.FirstMS = median(clean[1:]), median(killed[1:]), median(first)
	return r, nil
}

// startSize is the length of a text that is stored.
const startSize = 256

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// program is a run of the program itself.
type program struct {
	cmd  *exec.Cmd
	in   io.Closer // of a node: it ends with its input
	out  *bufio.Reader
	said *tail
}

// newProgram prepares a run of the program; it is killed with ctx.
func newProgram(ctx context.Context, args ...string) (*program, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &program{cmd: exec.CommandContext(ctx, exe, args...), said: &tail{}}
	p.cmd.Stderr, p.cmd.Env = p.said, environ()
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	return p, nil
}

// launch starts the program; in may be nil.
func launch(ctx context.Context, in io.Reader, args ...string) (*program, error) {
	p, err := newProgram(ctx, args...)
	if err != nil {
		return nil, err
	}
	p.cmd.Stdin = in
	return p, p.cmd.Start()
}

// NodeArgs make the program a node, as run does, that ends with its standard
// input too: whoever is killed while he measures it leaves none behind.
var NodeArgs = []string{"bench", "node"}

// nodeEnds is how long a node may take to end when a measurement is interrupted.
const nodeEnds = 2 * time.Second

// launchNode starts a node; it ends in good order with ctx.
func launchNode(ctx context.Context, args ...string) (*program, error) {
	p, err := newProgram(ctx, slices.Concat(NodeArgs, args)...)
	if err != nil {
		return nil, err
	}
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	p.cmd.Cancel, p.cmd.WaitDelay = p.in.Close, nodeEnds
	return p, p.cmd.Start()
}

// environ is without a person's settings: they would join their rooms, dial
// their peers.
func environ() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "PARLEY_") })
}

// line reads a line of its output.
func (p *program) line() (string, error) {
	line, err := p.out.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("the program ended: %s", p.said)
	}
	return line, nil
}

// kill ends it as a loss of power would.
func (p *program) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	_ = p.cmd.Wait()         // says that it was killed
}

// end ends a node with a goodbye.
func (p *program) end() error {
	_ = p.in.Close() // it may be closed already
	_, _ = io.Copy(io.Discard, p.out)
	return p.cmd.Wait()
}

// runNode starts a node in dir and waits until it is ready; addr is where it is.
func runNode(ctx context.Context, dir string, args ...string) (p *program, addr string, err error) {
	p, err = launchNode(ctx, append([]string{"--dir", dir, "--no-mdns", "--listen", "/ip4/127.0.0.1/tcp/0"}, args...)...)
	if err != nil {
		return nil, "", err
	}
	line, err := p.line()
	if err != nil {
		p.kill()
		return nil, "", err
	}
	var ready struct{ Addrs []string }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "ready ")), &ready); err != nil || len(ready.Addrs) == 0 {
		p.kill()
		return nil, "", fmt.Errorf("not a line of readiness: %q", line)
	}
	return p, ready.Addrs[0], nil
}

// fill has a node store what it starts with later.
func fill(ctx context.Context, dir string, o StartOptions) (err error) {
	var join []string
	for i := range o.Rooms {
		join = append(join, "--join", "room "+strconv.Itoa(i))
	}
	n, _, err := runNode(ctx, dir, join...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.end()) }()
	for i := range o.Rooms {
		count := o.Events/o.Rooms + min(1, max(0, o.Events%o.Rooms-i))
		in, lines := net.Pipe()
		go func() { // ends with the sender, which closes in
			for k := range count {
				if _, err := fmt.Fprintln(lines, stamp(i, k, time.Time{}, startSize)); err != nil {
					return
				}
			}
			_ = lines.Close()
		}()
		s, err := launch(ctx, in, "send", "room "+strconv.Itoa(i), "-", "--dir", dir)
		if err != nil {
			return err
		}
		_, _ = io.Copy(io.Discard, s.out)
		err = s.cmd.Wait()
		_ = in.Close()
		if err != nil {
			return fmt.Errorf("%w: %s", err, s.said)
		}
	}
	return nil
}

// started returns how long a node takes to be ready, in milliseconds.
func started(ctx context.Context, dir string, kill bool) (float64, error) {
	began := time.Now()
	n, _, err := runNode(ctx, dir)
	if err != nil {
		return 0, err
	}
	took := ms(time.Since(began))
	if kill {
		n.kill()
		return took, nil
	}
	return took, n.end()
}

// firstMessage returns how long it takes from starting two fresh nodes until
// the second shows what was said at the first, in milliseconds.
func firstMessage(ctx context.Context, dir string) (_ float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, meeting)
	defer cancel()
	began := time.Now()
	a, addr, err := runNode(ctx, filepath.Join(dir, "a"), "--join", "lobby")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, a.end()) }()
	s, err := launch(ctx, nil, "send", "lobby", "hello", "--dir", filepath.Join(dir, "a"))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.cmd.Wait()) }()
	b, _, err := runNode(ctx, filepath.Join(dir, "b"), "--join", "lobby", "--peer", addr)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, b.end()) }()
	t, err := launch(ctx, nil, "tail", "lobby", "--history", "1", "--dir", filepath.Join(dir, "b"))
	if err != nil {
		return 0, err
	}
	defer t.kill()
	if _, err := t.line(); err != nil {
		return 0, err
	}
	return ms(time.Since(began)), nil
}
