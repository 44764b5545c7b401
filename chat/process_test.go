package chat_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node"
)

// localConfig is the configuration of a real node that stays on this machine.
func localConfig(dir string) node.Config {
	return node.Config{
		Dir: dir, Listen: []multiaddr.Multiaddr{multiaddr.StringCast("/ip4/127.0.0.1/tcp/0")}, NoMDNS: true,
	}
}

const (
	talkerDir  = "PARLEY_TEST_TALKER_DIR"
	talkerPeer = "PARLEY_TEST_TALKER_PEER"
)

// TestTalker is what startTalker runs: a node in the lobby that says what it
// reads and prints "at ADDRESS", "sent TEXT" and "heard TEXT".
func TestTalker(t *testing.T) {
	if os.Getenv(talkerDir) == "" {
		t.Skip("runs in processes of other tests only")
	}
	cfg := localConfig(os.Getenv(talkerDir))
	if addr := os.Getenv(talkerPeer); addr != "" {
		info, err := peer.AddrInfoFromString(addr)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Peers = []peer.AddrInfo{*info}
	}
	n, err := node.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	m, err := chat.Open(t.Context(), n, chat.Config{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := m.Join(t.Context(), "lobby")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("at %v/p2p/%v\n", n.Addrs()[0], n.ID())
	go func() { // ends with the process
		for u := range m.Updates(context.Background(), 0) {
			if added, ok := u.(chat.MessageAdded); ok && !added.Message.Self {
				fmt.Println("heard", added.Message.Text)
			}
		}
	}()
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		if _, err := r.Send(t.Context(), chat.Text(in.Text())); err != nil {
			t.Fatal(err)
		}
		fmt.Println("sent", in.Text())
	}
}

type talker struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.Writer
	lines chan string
}

func startTalker(t *testing.T, dir, peer string) *talker {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestTalker$")
	cmd.Env = append(os.Environ(), talkerDir+"="+dir, talkerPeer+"="+peer)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &talker{t: t, cmd: cmd, in: in, lines: make(chan string, 1000)}
	go func() { // ends with the process
		defer close(p.lines)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.lines <- lines.Text()
		}
	}()
	t.Cleanup(p.kill)
	return p
}

// kill ends the process as kill -9 does.
func (p *talker) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	_ = p.cmd.Wait()
}

// await returns what follows prefix in the next line that has it.
func (p *talker) await(prefix string) string {
	p.t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		select {
		case line, ok := <-p.lines:
			if rest, found := strings.CutPrefix(line, prefix+" "); found {
				return rest
			}
			if !ok {
				p.t.Fatalf("it ended without %q", prefix)
			}
		case <-deadline:
			p.t.Fatalf("%q has not come", prefix)
		}
	}
}

// A process is killed when its message is on disk and nobody else has it. It
// starts again, and others hear of it.
func TestAKilledProcessLosesNothingItSent(t *testing.T) {
	dir := t.TempDir()
	a := startTalker(t, dir, "")
	a.await("at")
	for _, text := range []string{"one", "two"} {
		fmt.Fprintln(a.in, text)
		a.await("sent")
	}
	a.kill()
	b := startTalker(t, t.TempDir(), "")
	addr := b.await("at")
	a = startTalker(t, dir, addr)
	a.await("at")
	for _, want := range []string{"one", "two"} {
		if got := b.await("heard"); got != want {
			t.Errorf("heard %q, not %q", got, want)
		}
	}
	fmt.Fprintln(b.in, "I am here")
	if got := a.await("heard"); got != "I am here" {
		t.Errorf("heard %q", got)
	}
}
