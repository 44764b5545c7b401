package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// foreignDir holds a client in another language, on another libp2p, that was written from docs/protocol alone.
const foreignDir = "../../testdata/interop"

// requireForeign skips the test unless that client can run. With CI=true the test fails instead.
func requireForeign(t *testing.T) {
	t.Helper()
	requireGroup(t, "interop", lacksForeign())
}

// requireBrowser does the same for that client in a page.
func requireBrowser(t *testing.T) {
	t.Helper()
	reason := lacksForeign()
	if _, err := os.Stat(chromium()); reason == "" && err != nil {
		reason = "Chromium is not installed (make deps installs it)"
	}
	requireGroup(t, "browser", reason)
}

// chromium is the browser that the foreign client starts.
func chromium() string { return cmp.Or(os.Getenv("CHROMIUM"), "/usr/bin/chromium") }

func lacksForeign() string {
	if _, err := exec.LookPath("node"); err != nil {
		return "Node.js 20 is not installed (make deps installs it)"
	}
	for _, library := range []string{"libp2p", "@libp2p/webtransport", "playwright-core", "esbuild"} {
		if _, err := os.Stat(filepath.Join(foreignDir, "node_modules", library)); err != nil {
			return "its libraries are not installed (make deps installs them)"
		}
	}
	return ""
}

func requireGroup(t *testing.T, group, reason string) {
	t.Helper()
	switch {
	case reason == "":
	case os.Getenv("CI") == "true":
		t.Fatalf("group %s: %s", group, reason)
	default:
		t.Skipf("group %s: %s", group, reason)
	}
}

// told is a line of the foreign client: an answer to a command, or an event. What is in it depends on which.
type told struct {
	Done, Failed, Why, Event string

	Room, ID, Author, Peer, With, Nick, Text, Reason, Name string

	Addrs, IDs, Peers      []string
	Complete, Equal, Found bool
	Events                 []foreignEvent
	Authors                []struct{ Author, Nick string }
}

// foreignEvent is an event as the foreign client shows it.
type foreignEvent struct {
	ID, HLC, Text string
	Seq, Kind     int
	Parents       []string
}

// foreign is a running foreign client.
type foreign struct {
	t    *testing.T
	p    *process
	in   io.WriteCloser
	wait time.Duration // bounds each wait for something that must happen
	told               // what it said when it was ready: its peer ID, author, addresses
}

func startForeign(t *testing.T, args ...string) *foreign {
	t.Helper()
	return startProgram(t, scriptWait, "main.js", args...)
}

// startWait is scriptWait for the start of a program that first loads a few hundred modules.
const startWait = 2 * time.Minute

// browserWait is scriptWait for a browser, which takes long to start on a busy machine.
const browserWait = 3 * time.Minute

// startBrowser starts the foreign client in a page.
func startBrowser(t *testing.T, args ...string) *foreign {
	t.Helper()
	return startProgram(t, browserWait, "browser.js", args...)
}

func startProgram(t *testing.T, wait time.Duration, program string, args ...string) *foreign {
	t.Helper()
	cmd := exec.Command("node", append([]string{program}, args...)...)
	cmd.Dir = foreignDir
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := startProcess(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	f := &foreign{t: t, p: p, in: in, wait: wait}
	f.wait = max(wait, startWait)
	f.told = f.sees("that it is ready", func(l told) bool { return l.Event == "ready" })
	f.wait = wait
	return f
}

// do gives a command, {"do": what, …}, and returns the answer. A command that fails ends the test.
func (f *foreign) do(what string, args map[string]any) told {
	f.t.Helper()
	l := f.try(what, args)
	if l.Failed != "" {
		f.t.Fatalf("%s %v: %s", what, args, l.Why)
	}
	return l
}

func (f *foreign) try(what string, args map[string]any) told {
	f.t.Helper()
	line := map[string]any{"do": what}
	for k, v := range args {
		line[k] = v
	}
	b, err := json.Marshal(line)
	if err != nil {
		f.t.Fatal(err)
	}
	from := len(f.p.all())
	if _, err := f.in.Write(append(b, '\n')); err != nil {
		f.t.Fatal(err)
	}
	return f.after(from, what, func(l told) bool { return l.Done == what || l.Failed == what })
}

// repeat gives a command until its answer is as ok says.
func (f *foreign) repeat(what string, args map[string]any, ok func(told) bool) told {
	f.t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(f.wait)
	for {
		l := f.do(what, args)
		if ok(l) {
			return l
		}
		select {
		case <-tick.C:
		case <-deadline:
			f.t.Fatalf("%s %v: the last answer was %+v", what, args, l)
		}
	}
}

// sees waits for a line, be it one that was told already.
func (f *foreign) sees(what string, ok func(told) bool) told {
	f.t.Helper()
	return f.after(0, what, ok)
}

// count returns how many lines so far are such.
func (f *foreign) count(ok func(told) bool) (n int) {
	f.t.Helper()
	for _, line := range f.p.all() {
		if ok(f.parse(line)) {
			n++
		}
	}
	return n
}

func (f *foreign) parse(line string) (l told) {
	f.t.Helper()
	if err := json.Unmarshal([]byte(line), &l); err != nil {
		f.t.Fatalf("%q: %v", line, err)
	}
	return l
}

func (f *foreign) after(from int, what string, ok func(told) bool) told {
	f.t.Helper()
	deadline := time.After(f.wait)
	for {
		lines := f.p.all()
		for ; from < len(lines); from++ {
			if l := f.parse(lines[from]); ok(l) {
				return l
			}
		}
		select {
		case <-f.p.more:
		case <-f.p.done:
			if len(f.p.all()) == from {
				f.t.Fatalf("it ended before it told %s:\n%s", what, f.p.errors.String())
			}
		case <-deadline:
			f.t.Fatalf("it did not tell %s; it told\n%s%s", what, strings.Join(f.p.all(), ""), f.p.errors.String())
		}
	}
}

// end ends the client as it wants to end: with a goodbye.
func (f *foreign) end() {
	f.t.Helper()
	f.in.Close()
	select {
	case <-f.p.done:
	case <-time.After(f.wait):
		f.t.Fatal("it does not end")
	}
	if code := f.p.cmd.ProcessState.ExitCode(); code != 0 {
		f.t.Errorf("it ended with status %d:\n%s", code, f.p.errors.String())
	}
}

// loopbackNode is parley run on the loopback alone.
type loopbackNode struct {
	t        *testing.T
	dir      string
	id, addr string
}

func startLoopback(t *testing.T, dir string, args ...string) *loopbackNode {
	t.Helper()
	return startListening(t, "/ip4/127.0.0.1/tcp/0", dir, args...)
}

func startListening(t *testing.T, listen, dir string, args ...string) *loopbackNode {
	t.Helper()
	p, err := startProcess(exec.Command("parley", append([]string{
		"run", "--dir", dir, "--no-mdns", "--listen", listen,
	}, args...)...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	line := p.await(t, readyLine)
	var r ready
	if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "ready ")), &r); err != nil {
		t.Fatal(err)
	}
	return &loopbackNode{t: t, dir: dir, id: r.PeerID, addr: r.Addrs[0]}
}

// parley runs a command on the node's directory and returns what it prints.
func (n *loopbackNode) parley(args ...string) string {
	n.t.Helper()
	return n.input("", args...)
}

func (n *loopbackNode) input(stdin string, args ...string) string {
	n.t.Helper()
	cmd := exec.Command("parley", append(args, "--dir", n.dir)...)
	cmd.Stdin = strings.NewReader(stdin)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		n.t.Fatalf("parley %q: %v\n%s", args, err, stderr.String())
	}
	return string(out)
}

// shown is a line of history --json.
type shown struct {
	ID, HLC, Text, State, Author, Type string
	Seq                                int `json:",string"`
	Parents                            []string
}

func (n *loopbackNode) history(target string, flags ...string) []shown {
	n.t.Helper()
	out := n.parley(append([]string{"history", target, "--limit", "0", "--json"}, flags...)...)
	var all []shown
	for line := range strings.Lines(out) {
		var s shown
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			n.t.Fatalf("%q: %v", line, err)
		}
		all = append(all, s)
	}
	return all
}

// until waits until the history of target is as ok says.
func (n *loopbackNode) until(target, what string, ok func([]shown) bool) {
	n.t.Helper()
	var all []shown
	n.poll(func() bool {
		all = n.history(target)
		return ok(all)
	}, func() string {
		return fmt.Sprintf("%s; the last of %d lines: %+v", what, len(all), all[max(0, len(all)-3):])
	})
}

// prints waits until a command's output matches.
func (n *loopbackNode) prints(pattern string, args ...string) {
	n.t.Helper()
	var out string
	n.poll(func() bool {
		out = n.parley(args...)
		return regexp.MustCompile(pattern).MatchString(out)
	}, func() string { return pattern + "; it printed\n" + out })
}

// poll waits until ok; what tells what is not.
func (n *loopbackNode) poll(ok func() bool, what func() string) {
	n.t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(scriptWait)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			n.t.Fatalf("not so: %s", what())
		}
	}
}

// has waits until all ids are in the history of target.
func (n *loopbackNode) has(target string, ids ...string) {
	n.t.Helper()
	n.until(target, "all messages are there", func(all []shown) bool {
		return !slices.ContainsFunc(ids, func(id string) bool {
			return !slices.ContainsFunc(all, func(s shown) bool { return s.ID == id })
		})
	})
}
