//go:build linux

package netns

import (
	"bufio"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// maxLine bounds one line of a process's output, in bytes.
	maxLine = 1 << 20
	// tailLines is how much of a process's output a failure shows.
	tailLines = 40
)

// Proc is a running process on a Host. Its output is kept line by line. Its methods may be called
// from any goroutine, those that can fail the test only from the test's.
type Proc struct {
	t    testing.TB
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended and all its output is read

	mu     sync.Mutex
	lines  []string // standard output
	errors []string // standard error
	more   chan struct{}
	err    error // of its end
}

// Start starts a process on the host. It is killed when the test ends, if it still runs.
func (h *Host) Start(name string, args ...string) *Proc {
	h.lab.t.Helper()
	return h.StartCommand(h.Command(name, args...))
}

// StartCommand is Start for a command made by Command, with an environment or input of its own.
func (h *Host) StartCommand(cmd *exec.Cmd) *Proc {
	t := h.lab.t
	t.Helper()
	p := &Proc{t: t, name: h.ns, cmd: cmd, done: make(chan struct{}), more: make(chan struct{})}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("on %s: %v", h.ns, err)
	}
	var readers sync.WaitGroup
	readers.Go(func() { p.keep(stdout, &p.lines) })
	readers.Go(func() { p.keep(stderr, &p.errors) })
	go func() { // ends with the process; Kill, which the clean-up calls, waits for it
		readers.Wait()
		p.finish(cmd.Wait())
	}()
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("%s", p.tail())
		}
	})
	return p
}

func (p *Proc) keep(r io.Reader, into *[]string) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, maxLine)
	for s.Scan() {
		p.mu.Lock()
		*into = append(*into, s.Text())
		p.wakeLocked()
		p.mu.Unlock()
	}
	_, _ = io.Copy(io.Discard, r) // after an overlong line, so that the process is not blocked
}

// wakeLocked wakes everyone who waits for a line.
func (p *Proc) wakeLocked() {
	close(p.more)
	p.more = make(chan struct{})
}

func (p *Proc) finish(err error) {
	p.mu.Lock()
	p.err = err
	p.mu.Unlock()
	close(p.done)
}

// WaitLine returns the first line of standard output, from the beginning, that match accepts. The
// test fails if none comes within d or the process ends without it.
func (p *Proc) WaitLine(d time.Duration, match func(string) bool) string {
	p.t.Helper()
	deadline := time.NewTimer(d)
	defer deadline.Stop()
	for next, ended := 0, false; ; {
		p.mu.Lock()
		lines, more := p.lines, p.more
		p.mu.Unlock()
		for ; next < len(lines); next++ {
			if match(lines[next]) {
				return lines[next]
			}
		}
		if ended {
			p.t.Fatalf("on %s: the process ended without the awaited line", p.name)
		}
		select {
		case <-more:
		case <-p.done:
			ended = true // its last lines are looked at once more
		case <-deadline.C:
			p.t.Fatalf("on %s: the awaited line did not come within %v", p.name, d)
		}
	}
}

// Lines returns a copy of the standard output so far.
func (p *Proc) Lines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.lines...)
}

// Stderr returns the standard error so far.
func (p *Proc) Stderr() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.errors, "\n")
}

// Signal sends the process a signal; one that has ended is left alone.
func (p *Proc) Signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// Kill ends the process with SIGKILL and waits for its end.
func (p *Proc) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.done
}

// Stop asks the process to end with SIGTERM and returns what Wait returns.
func (p *Proc) Stop(within time.Duration) error {
	p.t.Helper()
	p.Signal(syscall.SIGTERM)
	return p.Wait(within)
}

// Wait waits for the process's end: nil for status 0, else an *exec.ExitError. The test fails if it
// does not end within d.
func (p *Proc) Wait(d time.Duration) error {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(d):
		p.t.Fatalf("on %s: the process did not end within %v", p.name, d)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Done is closed when the process has ended.
func (p *Proc) Done() <-chan struct{} { return p.done }

// tail describes the process for a failed test.
func (p *Proc) tail() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := func(l []string) string { return strings.Join(l[max(0, len(l)-tailLines):], "\n  ") }
	return "on " + p.name + ": " + strings.Join(p.cmd.Args, " ") +
		"\nstdout:\n  " + last(p.lines) + "\nstderr:\n  " + last(p.errors)
}
