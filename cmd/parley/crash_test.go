//go:build unix

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/parley-chat/parley/api/client"
	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/node"
)

// The crash laboratory: two real nodes on the loopback, of which one is killed
// with kill -9 in some phase of its life at a random moment, round after round.
// After each round the node starts, holds every message whose id it had
// printed, and none twice; the store's invariants hold. Both nodes have the
// same history in the end, and the same direct chat.
//
//	make crash                                  1,000 rounds
//	CRASH_ROUNDS=5000 CRASH_SEED=7 make crash
//
// In make test it is 50 rounds. Moments are random, so a
// seed gives the same phases and delays, not the same instructions.

const (
	crashWait  = 60 * time.Second       // for a start, or for both to be the same
	crashEpoch = 100                    // rounds after which both begin anew
	crashSame  = 10                     // rounds after which both must be the same
	startedIn  = 300 * time.Millisecond // about what a start takes; kills come within it
)

func TestCrash(t *testing.T) {
	rounds := 50
	if s := os.Getenv("CRASH_ROUNDS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		rounds = n
	} else if testing.Short() {
		rounds = 10
	}
	seed := rand.Uint64()
	if s := os.Getenv("CRASH_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	t.Logf("CRASH_SEED=%d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	done := 0
	for done < rounds {
		n := min(crashEpoch, rounds-done)
		crashRounds(t, rng, n)
		done += n
		t.Logf("%d rounds", done)
	}
}

// crashRounds begins anew and does n rounds.
func crashRounds(t *testing.T, rng *rand.Rand, n int) {
	l := &crashLab{t: t, rng: rng, texts: make(map[string]bool)}
	base := t.TempDir()
	for i, name := range []string{"a", "b"} {
		l.nodes[i] = &crashNode{name: name, dir: filepath.Join(base, name)}
	}
	defer l.end()
	l.start(l.nodes[0], l.nodes[1])
	l.start(l.nodes[1], l.nodes[0])
	for i := range n {
		l.round(i)
		if i%crashSame == crashSame-1 {
			l.waitSame()
		}
	}
	l.waitSame()
	for _, c := range l.nodes {
		c.kill()
		l.check(c)
	}
}

// crashLab is two nodes and what they promised.
type crashLab struct {
	t     *testing.T
	rng   *rand.Rand
	nodes [2]*crashNode
	said  int             // texts made so far
	texts map[string]bool // whose id was printed
}

// crashNode is a node that is killed and started.
type crashNode struct {
	name, dir, addr string
	cmd             *exec.Cmd
	client          *client.Client
	peer            string
	acked           []string // ids of own messages since both were the same last
	tells           []tell   // direct messages to the other
	after           string   // the newest message then
}

// phases of a node's life in which it is killed.
var phases = []struct {
	name string
	run  func(l *crashLab, victim, other *crashNode)
}{
	{"start", (*crashLab).killStart},
	{"send", (*crashLab).killSend},
	{"receive", (*crashLab).killReceive},
	{"sync", (*crashLab).killSync},
	{"import", (*crashLab).killImport},
	{"close", (*crashLab).killClose},
	{"direct", (*crashLab).killDirect},
}

func (l *crashLab) round(i int) {
	who := l.rng.IntN(2)
	victim, other := l.nodes[who], l.nodes[1-who]
	p := phases[l.rng.IntN(len(phases))]
	p.run(l, victim, other)
	victim.kill()
	if l.rng.IntN(3) == 0 {
		l.check(victim)
	}
	l.start(victim, other)
	l.verify(victim, fmt.Sprintf("round %d, killed in %s", i, p.name))
}

// wait lets a random part of d pass.
func (l *crashLab) wait(d time.Duration) {
	<-time.After(time.Duration(l.rng.Int64N(int64(d))))
}

func (l *crashLab) killStart(victim, other *crashNode) {
	victim.kill()
	victim.launch(l.t, other)
	l.wait(startedIn)
}

func (l *crashLab) killSend(victim, _ *crashNode) {
	stop := l.talk(victim)
	l.wait(200 * time.Millisecond)
	victim.kill()
	stop()
}

func (l *crashLab) killReceive(victim, other *crashNode) {
	stop := l.talk(other)
	l.wait(200 * time.Millisecond)
	victim.kill()
	stop()
}

func (l *crashLab) killSync(victim, other *crashNode) {
	victim.kill()
	stop := l.talk(other)
	l.wait(100 * time.Millisecond)
	stop()
	l.start(victim, other)
	l.wait(500 * time.Millisecond)
}

// killImport imports what the other exports, of which some is new.
func (l *crashLab) killImport(victim, other *crashNode) {
	victim.kill()
	stop := l.talk(other)
	l.wait(50 * time.Millisecond)
	stop()
	export := exec.Command("parley", "export", "lobby", "--dir", other.dir)
	file, err := export.Output()
	if err != nil {
		l.t.Fatalf("export: %v %s", err, stderrOf(err))
	}
	l.start(victim, nil)
	im := exec.Command("parley", "import", "-", "--dir", victim.dir)
	im.Stdin = strings.NewReader(string(file))
	if err := im.Start(); err != nil {
		l.t.Fatal(err)
	}
	l.wait(300 * time.Millisecond)
	victim.kill()
	_ = im.Wait() // however far it came
}

func (l *crashLab) killClose(victim, _ *crashNode) {
	stop := l.talk(victim)
	l.wait(50 * time.Millisecond)
	_ = victim.cmd.Process.Signal(syscall.SIGTERM)
	l.wait(150 * time.Millisecond)
	victim.kill()
	stop()
}

// talk sends one text after another at a node, from a goroutine that the
// returned function ends and waits for.
func (l *crashLab) talk(c *crashNode) (stop func()) {
	ctx, cancel := context.WithCancel(l.t.Context())
	first, n := l.said, 0
	l.said += 10_000 // more than can be sent meanwhile
	var acked []string
	done := make(chan struct{})
	go func() {
		defer close(done)
		acked, n = c.send(ctx, first)
	}()
	return func() {
		cancel()
		<-done
		c.acked = append(c.acked, acked...)
		for i := range n {
			l.texts[crashText(first+i)] = true
		}
	}
}

func crashText(i int) string { return fmt.Sprintf("text %d", i) }

// send sends until ctx ends or the node is killed, and returns the ids that
// were answered.
func (c *crashNode) send(ctx context.Context, first int) (acked []string, n int) {
	stream, err := c.client.SendMessages(ctx)
	if err != nil {
		return nil, 0
	}
	go func() { // ends with the stream
		defer stream.CloseRequest()
		for i := range 10_000 {
			if stream.Send(&v1.SendMessagesRequest{Room: "lobby", Text: crashText(first + i)}) != nil {
				return
			}
			if i%7 == 0 { // batches of several sizes
				<-time.After(time.Millisecond)
			}
		}
	}()
	for {
		res, err := stream.Receive()
		if err != nil || res.GetFault() != nil {
			return acked, len(acked)
		}
		acked = append(acked, res.GetId())
	}
}

// launch runs the node's process and does not wait for it.
func (c *crashNode) launch(t *testing.T, other *crashNode) io.Reader {
	args := []string{
		"run", "--dir", c.dir, "--name", c.name, "--no-mdns", "--light", "--log-level", "error",
		"--listen", "/ip4/127.0.0.1/tcp/0", "--join", "lobby",
	}
	if other != nil && other.addr != "" {
		args = append(args, "--peer", other.addr)
	}
	c.cmd = exec.Command("parley", args...)
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.cmd.Stderr = &locked{}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return out
}

// start starts a node, which must be ready in time.
func (l *crashLab) start(c, other *crashNode) {
	l.t.Helper()
	out := c.launch(l.t, other)
	timer := time.AfterFunc(crashWait, func() { _ = c.cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	timer.Stop()
	if err != nil {
		_ = c.cmd.Wait()
		l.t.Fatalf("%s does not start: %v\n%s", c.name, err, c.cmd.Stderr)
	}
	var r ready
	if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "ready ")), &r); err != nil {
		l.t.Fatal(err)
	}
	c.addr, c.peer = r.Addrs[0], r.PeerID
	if c.client, err = client.Dial(l.t.Context(), c.dir); err != nil {
		l.t.Fatal(err)
	}
}

func (c *crashNode) kill() {
	if c.cmd == nil {
		return
	}
	_ = c.cmd.Process.Kill() // it may have ended
	_ = c.cmd.Wait()
	c.cmd = nil
	if c.client != nil {
		c.client.Close()
		c.client = nil
	}
}

// history returns the messages since both were the same last.
func (l *crashLab) history(c *crashNode) []*v1.Message {
	l.t.Helper()
	return l.read(c, &v1.HistoryRequest{Room: "lobby", After: c.after})
}

func (l *crashLab) read(c *crashNode, of *v1.HistoryRequest) (msgs []*v1.Message) {
	l.t.Helper()
	stream, err := c.client.History(l.t.Context(), of)
	if err != nil {
		l.t.Fatal(err)
	}
	defer stream.Close()
	for stream.Receive() {
		msgs = append(msgs, stream.Msg().GetMessage())
	}
	if err := stream.Err(); err != nil {
		l.t.Fatal(err)
	}
	return msgs
}

// verify checks that a node has what it acknowledged, and nothing twice.
func (l *crashLab) verify(c *crashNode, when string) {
	l.t.Helper()
	ids, texts := make(map[string]bool), make(map[string]bool)
	for _, m := range l.history(c) {
		if ids[m.GetId()] || texts[m.GetText()] {
			l.t.Fatalf("%s: %s has %q twice", when, c.name, m.GetText())
		}
		ids[m.GetId()], texts[m.GetText()] = true, true
	}
	for _, id := range c.acked {
		if !ids[id] {
			l.t.Fatalf("%s: %s has lost %s", when, c.name, id)
		}
	}
}

// waitSame waits until both have the same history, with all that was promised.
func (l *crashLab) waitSame() {
	l.t.Helper()
	deadline := time.Now().Add(crashWait)
	var a, b []*v1.Message
	for {
		a, b = l.history(l.nodes[0]), l.history(l.nodes[1])
		same := slices.EqualFunc(a, b, func(x, y *v1.Message) bool { return x.GetId() == y.GetId() })
		differ := l.sameDirect()
		if same && differ == nil {
			break
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("%d and %d messages after %v; %v", len(a), len(b), crashWait, differ)
		}
		<-time.After(50 * time.Millisecond)
	}
	texts := make(map[string]int)
	for _, m := range a {
		texts[m.GetText()]++
	}
	for text := range l.texts {
		if texts[text] != 1 {
			l.t.Fatalf("%q is there %d times", text, texts[text])
		}
	}
	clear(l.texts)
	for _, c := range l.nodes {
		l.verify(c, "in the end")
		c.acked = nil
		if len(a) > 0 {
			c.after = a[len(a)-1].GetId()
		}
	}
}

// check opens a copy of a killed node's store, so that the node itself meets it
// as the kill left it, and checks every invariant.
func (l *crashLab) check(c *crashNode) {
	l.t.Helper()
	id, err := node.LoadIdentity(c.dir)
	if errors.Is(err, node.ErrNoIdentity) {
		return // killed before it had one
	}
	if err != nil {
		l.t.Fatal(err)
	}
	dir := filepath.Join(l.t.TempDir(), "store")
	if out, err := exec.Command("cp", "-r", "--sparse=always", filepath.Join(c.dir, "store"), dir).CombinedOutput(); err != nil {
		l.t.Fatalf("%v: %s", err, out)
	}
	defer os.RemoveAll(dir)
	s, err := eventlog.Open(l.t.Context(), eventlog.Options{Dir: dir, Key: id.StoreKey(), Light: true})
	if err != nil {
		l.t.Fatalf("the store of %s: %v", c.name, err)
	}
	if err := errors.Join(s.Check(l.t.Context()), s.Close()); err != nil {
		l.t.Fatalf("the store of %s: %v", c.name, err)
	}
}

func (l *crashLab) end() {
	for _, c := range l.nodes {
		c.kill()
	}
}
