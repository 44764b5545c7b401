package main

import (
	"encoding/hex"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/node"
)

// A client in JavaScript, written from docs/protocol alone, talks with real nodes on the loopback.
// What fails here is a fault of a page as often as of the code.

// The foreign client reads every vector that the pages name.
func TestInteropVectors(t *testing.T) {
	requireForeign(t)
	cmd := exec.Command("node", "--test", "vectors.test.js")
	cmd.Dir = foreignDir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// What is not a command is told, and the program goes on.
func TestInteropLinesThatAreNoCommands(t *testing.T) {
	requireForeign(t)
	js := startForeign(t)
	if _, err := js.in.Write([]byte("\n  \nnonsense\n{\"did\":1}\nnull\n")); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"discover", "toString"} {
		if l := js.try(what, nil); l.Why != "Error: no such command" {
			t.Errorf("%s: %+v", what, l)
		}
	}
	if n := js.count(func(l told) bool { return strings.HasPrefix(l.Why, "not a command") }); n != 3 {
		t.Errorf("%d lines were told to be no commands, want 3", n)
	}
	js.end()
}

func TestInteropRoom(t *testing.T) {
	requireForeign(t)
	base := t.TempDir()
	ada := startLoopback(t, filepath.Join(base, "ada"), "--name", "ada", "--join", "lobby")
	ada.parley("send", "lobby", "before anyone came")
	var many strings.Builder
	for i := range 400 {
		fmt.Fprintf(&many, "line %d\n", i)
	}
	ada.input(many.String(), "send", "lobby", "-")
	bob := startLoopback(t, filepath.Join(base, "bob"), "--name", "bob", "--join", "lobby", "--peer", ada.addr)

	eve := startListening(t, "/ip4/127.0.0.1/tcp/0/ws", filepath.Join(base, "eve"), "--name", "eve", "--join", "lobby")

	js := startForeign(t, "--nick", "jay")
	for _, n := range []*loopbackNode{ada, bob, eve} {
		js.do("dial", map[string]any{"addr": n.addr})
	}
	js.do("join", map[string]any{"room": "Lobby"})
	js.do("compare", map[string]any{"room": "lobby", "author": authorHex(t, ada.id)})

	one := js.do("send", map[string]any{"room": "lobby", "texts": []string{"from far, 世界"}}).IDs
	batch := js.do("send", map[string]any{"room": "lobby", "texts": texts("batch", 256)}).IDs
	large := js.do("send", map[string]any{"room": "lobby", "texts": []string{strings.Repeat("x", 60_000), strings.Repeat("y", 60_000)}}).IDs
	ids := slices.Concat(one, batch, large)
	ada.has("lobby", ids...)
	bob.has("lobby", ids...)
	eve.has("lobby", ids...) // over WebSocket, and she knows nobody else

	live := strings.TrimSpace(bob.parley("send", "lobby", "to all four"))
	js.sees("bob's message", func(l told) bool { return l.Event == "message" && l.ID == live })
	bob.until("lobby", "bob sees that the three others hold it", func(all []shown) bool {
		return all[len(all)-1].State == "held 3/3"
	})
	if a, b := ada.parley("history", "lobby", "--limit", "0", "--canonical"), bob.parley("history", "lobby", "--limit", "0", "--canonical"); a != b {
		t.Error("two nodes print different histories")
	}
	sameAs(t, ada.history("lobby", "--all"), js.do("history", map[string]any{"room": "lobby"}))

	ada.prints(`jay +\S+ +yes`, "members", "lobby")
	js.end()
	ada.prints(`jay +\S+ +no`, "members", "lobby")
}

// What the foreign client wrote alone comes by comparing with it and fetching from it.
func TestInteropServesHistory(t *testing.T) {
	requireForeign(t)
	js := startForeign(t, "--listen", "/ip4/127.0.0.1/tcp/0", "--nick", "jay")
	js.do("join", map[string]any{"room": "diary"})
	var ids []string
	for i := range 50 {
		ids = append(ids, js.do("send", map[string]any{"room": "diary", "texts": texts(fmt.Sprint("day ", i), 1+i%20)}).IDs...)
	}
	ada := startLoopback(t, filepath.Join(t.TempDir(), "ada"), "--name", "ada", "--join", "diary", "--peer", js.Addrs[0])
	ada.has("diary", ids...)
	js.sees("ada's joining", func(l told) bool { return l.Event == "message" && l.Nick == "ada" })
	sameAs(t, ada.history("diary", "--all"), js.do("history", map[string]any{"room": "diary"}))
}

func TestInteropClosedNetwork(t *testing.T) {
	requireForeign(t)
	dir := filepath.Join(t.TempDir(), "ward")
	out, err := exec.Command("parley", "network", "new", "ward-7", "--dir", dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	invite := strings.TrimSpace(string(out))
	ada := startLoopback(t, dir, "--name", "ada", "--join", "lobby")
	said := strings.TrimSpace(ada.parley("send", "lobby", "for members"))

	js := startForeign(t, "--invite", invite)
	js.do("dial", map[string]any{"addr": ada.addr})
	if l := js.sees("the network's record", func(l told) bool { return l.Event == "network" }); l.Name != "ward-7" {
		t.Errorf("the record names %q", l.Name)
	}
	js.do("join", map[string]any{"room": "lobby"})
	js.sees("the message", func(l told) bool { return l.Event == "message" && l.ID == said })
	ada.has("lobby", js.do("send", map[string]any{"room": "lobby", "texts": []string{"from a member"}}).IDs...)

	// Who knows the network's ID and another secret is refused, and so is who is in the open network.
	for _, args := range [][]string{{"--invite", otherSecret(t, invite)}, {"--network", "lan"}} {
		stranger := startForeign(t, args...)
		if l := stranger.try("dial", map[string]any{"addr": ada.addr}); l.Failed == "" {
			t.Errorf("%v was admitted", args)
		}
		stranger.end()
	}
}

func TestInteropDirect(t *testing.T) {
	requireForeign(t)
	ada := startLoopback(t, filepath.Join(t.TempDir(), "ada"), "--name", "ada")
	js := startForeign(t, "--nick", "jay")
	jay := "@" + js.Peer
	author := authorHex(t, ada.id)
	js.do("dial", map[string]any{"addr": ada.addr})

	ids := js.do("direct", map[string]any{"author": author, "texts": []string{"for you alone", "and more"}}).IDs
	for _, id := range ids {
		js.sees("that ada has it", func(l told) bool { return l.Event == "delivered" && l.ID == id })
	}
	ada.has(jay, ids...)

	answer := strings.TrimSpace(ada.parley("send", jay, "thank you"))
	js.sees("the answer", func(l told) bool { return l.Event == "direct" && l.ID == answer && l.Text == "thank you" })
	state := func(want string) {
		t.Helper()
		ada.until(jay, "the answer is "+want, func(all []shown) bool { return all[len(all)-1].State == want })
	}
	state("delivered")
	js.do("read", map[string]any{"author": author})
	state("read")

	var many strings.Builder
	for i := range 300 {
		fmt.Fprintf(&many, "line %d\n", i)
	}
	ada.input(many.String(), "send", jay, "-")
	more := js.do("direct", map[string]any{"author": author, "texts": texts("reply", 200)}).IDs
	ada.has(jay, more...)
	ada.until(jay, "all is delivered", func(all []shown) bool {
		return !slices.ContainsFunc(all, func(s shown) bool { return s.State == "queued" || s.State == "sent" })
	})
	sameAs(t, ada.history(jay), js.do("chat", map[string]any{"author": author}))
	js.end()

	// What is written while the other is away is queued, and has no other way.
	ada.parley("send", jay, "are you there?")
	state("queued")
}

// Of two streams that cross each other one stays, the same on both sides: nothing is lost, the chat goes on both ways,
// and nobody opens a third.
func TestInteropDirectStreamsCross(t *testing.T) {
	requireForeign(t)
	ada := startLoopback(t, filepath.Join(t.TempDir(), "ada"), "--name", "ada")
	js := startForeign(t, "--nick", "jay")
	jay, author := "@"+js.Peer, authorHex(t, ada.id)
	js.do("dial", map[string]any{"addr": ada.addr})
	first := strings.TrimSpace(ada.parley("send", jay, "over a stream of mine"))
	js.sees("ada's message", func(l told) bool { return l.Event == "direct" && l.ID == first })
	const crossings = 4
	for i := range crossings {
		js.do("cross", map[string]any{"author": author})
		here := js.do("direct", map[string]any{"author": author, "texts": texts("from jay", 2)}).IDs
		there := strings.TrimSpace(ada.parley("send", jay, fmt.Sprint("from ada ", i)))
		js.sees("ada's message", func(l told) bool { return l.Event == "direct" && l.ID == there })
		for _, id := range here {
			js.sees("that ada has it", func(l told) bool { return l.Event == "delivered" && l.ID == id })
		}
	}
	ada.until(jay, "all is delivered", func(all []shown) bool {
		return len(all) == 13 && !slices.ContainsFunc(all, func(s shown) bool { return s.State == "queued" || s.State == "sent" })
	})
	sameAs(t, ada.history(jay), js.do("chat", map[string]any{"author": author}))

	want := 1
	if js.Author < author { // the stream of the lower key stays, and of two of his the later
		want += crossings
	}
	if n := js.count(func(l told) bool { return l.Event == "chat" }); n != want {
		t.Errorf("%d streams of the chat ran, not %d", n, want)
	}
}

func TestInteropTable(t *testing.T) {
	requireForeign(t)
	base := t.TempDir()
	ada := startLoopback(t, filepath.Join(base, "ada"), "--name", "ada", "--join", "lobby")
	bob := startLoopback(t, filepath.Join(base, "bob"), "--name", "bob", "--join", "lobby", "--peer", ada.addr)
	js := startForeign(t, "--listen", "/ip4/127.0.0.1/tcp/0", "--nick", "jay")
	js.do("dial", map[string]any{"addr": bob.addr})
	js.do("follow", map[string]any{"room": "lobby"})

	for _, n := range []*loopbackNode{ada, bob} {
		l := js.repeat("record", map[string]any{"author": authorHex(t, n.id)}, func(l told) bool { return l.Found })
		if want := strings.TrimSuffix(n.addr, "/p2p/"+n.id); !slices.Contains(l.Addrs, want) {
			t.Errorf("the record has %q, not %s", l.Addrs, want)
		}
	}
	js.repeat("providers", map[string]any{"room": "lobby"}, func(l told) bool {
		return slices.Contains(l.Peers, ada.id) && slices.Contains(l.Peers, bob.id)
	})

	js.do("publish", nil)
	other := startForeign(t)
	other.do("dial", map[string]any{"addr": ada.addr})
	other.do("follow", map[string]any{"room": "lobby"})
	l := other.repeat("record", map[string]any{"author": js.Author}, func(l told) bool { return l.Found })
	if l.Nick != "jay" {
		t.Errorf("the record's nick is %q", l.Nick)
	}
	other.repeat("providers", map[string]any{"room": "lobby"}, func(l told) bool { return slices.Contains(l.Peers, js.Peer) })
}

// sameAs compares what a node and the foreign client show of a history.
func sameAs(t *testing.T, node []shown, foreign told) {
	t.Helper()
	if !foreign.Complete {
		t.Error("the foreign client misses a parent")
	}
	type row struct {
		id, hlc, text string
		seq           int
		parents       string
	}
	var a, b []row
	for _, s := range node {
		a = append(a, row{s.ID, s.HLC, s.Text, s.Seq, strings.Join(s.Parents, " ")})
	}
	for _, e := range foreign.Events {
		slices.Sort(e.Parents)
		b = append(b, row{e.ID, e.HLC, e.Text, e.Seq, strings.Join(e.Parents, " ")})
	}
	if !slices.Equal(a, b) {
		t.Errorf("the node shows %d events, the foreign client %d, or others", len(a), len(b))
	}
}

// otherSecret is an invite to the same network with a secret that is not its own.
func otherSecret(t *testing.T, invite string) string {
	t.Helper()
	v, err := node.ParseInvite(invite)
	if err != nil {
		t.Fatal(err)
	}
	v.Secret[0] ^= 1
	return v.String()
}

func texts(prefix string, n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("%s %d", prefix, i))
	}
	return all
}

// authorHex is the author that a peer ID names.
func authorHex(t *testing.T, id string) string {
	t.Helper()
	p, err := peer.Decode(id)
	if err != nil {
		t.Fatal(err)
	}
	author, err := wire.Author(p)
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(author[:])
}
