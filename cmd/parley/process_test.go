package main

import (
	"bufio"
	"io"
	"os/exec"
	"regexp"
	"sync"
	"time"
)

// readyLine is the line of parley run that tells where the node is.
var readyLine = regexp.MustCompile(`^ready \{`)

// process is one that a test or a script runs in the background. Its output is gathered
// as it comes.
type process struct {
	cmd    *exec.Cmd
	errors locked
	done   chan struct{} // closed when it has ended and its output is read

	mu    sync.Mutex
	lines []string
	next  int           // the first line that await has not looked at
	more  chan struct{} // holds a token when a line came
}

func startProcess(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{}), more: make(chan struct{}, 1)}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = &p.errors
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() { // ends with the process; kill waits for it
		defer close(p.done)
		p.gather(out)
		_ = cmd.Wait() // the status is looked at by end
	}()
	return p, nil
}

func (p *process) gather(out io.Reader) {
	r := bufio.NewReader(out)
	for {
		line, err := r.ReadString('\n')
		if line != "" {
			p.mu.Lock()
			p.lines = append(p.lines, line)
			p.mu.Unlock()
			select {
			case p.more <- struct{}{}:
			default:
			}
		}
		if err != nil {
			return
		}
	}
}

// failer is a test or a script.
type failer interface {
	Fatalf(format string, args ...any)
}

// await returns the next line that matches.
func (p *process) await(ts failer, want *regexp.Regexp) string {
	deadline := time.After(scriptWait)
	for {
		for _, line := range p.unseen() {
			p.next++
			if want.MatchString(line) {
				return line
			}
		}
		select {
		case <-p.more:
		case <-p.done:
			if len(p.unseen()) == 0 {
				ts.Fatalf("it ended before %q came:\n%s", want, p.errors.String())
			}
		case <-deadline:
			ts.Fatalf("%q did not come; there was %q and\n%s", want, p.all(), p.errors.String())
		}
	}
}

func (p *process) unseen() []string { return p.all()[p.next:] }

func (p *process) all() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lines[:len(p.lines):len(p.lines)]
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.done
}

// locked is a buffer that is written by one goroutine and read by another.
type locked struct {
	mu  sync.Mutex
	buf []byte
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = append(l.buf, b...)
	return len(b), nil
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.buf)
}

// stderrOf returns what a command that failed wrote to standard error.
func stderrOf(err error) []byte {
	if exit, ok := err.(*exec.ExitError); ok {
		return exit.Stderr
	}
	return nil
}
