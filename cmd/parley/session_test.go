package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-chat/parley/api"
	"github.com/parley-chat/parley/api/client"
	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/cmd/parley/internal/text"
)

// person sits at a screen: types lines and waits for what is shown.
type person struct {
	t     *testing.T
	dir   string
	lines chan string
	shown chan struct{} // holds a token when something new is on the screen
	ended chan error

	mu     sync.Mutex
	screen strings.Builder
	seen   int // how much of the screen sees has looked at
	prompt string
}

func (p *person) Write(b []byte) (int, error) {
	p.mu.Lock()
	p.screen.Write(b)
	p.mu.Unlock()
	select {
	case p.shown <- struct{}{}:
	default:
	}
	return len(b), nil
}

func (p *person) ReadLine() (string, error) {
	line, ok := <-p.lines
	if !ok || line == controlD {
		return "", io.EOF
	}
	return line, nil
}

func (p *person) SetPrompt(prompt string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.prompt = prompt
}

// sees waits until a text is shown after what was seen before.
func (p *person) sees(want string) {
	p.t.Helper()
	deadline := time.After(scriptWait)
	for {
		p.mu.Lock()
		rest := p.screen.String()[p.seen:]
		if i := strings.Index(rest, want); i >= 0 {
			p.seen += i + len(want)
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
		select {
		case <-p.shown:
		case <-deadline:
			p.t.Fatalf("%q does not show after\n%s\nbut\n%s", want, p.screen.String()[:p.seen], rest)
		}
	}
}

// controlD is typed for the key: the screen lives on after it.
const controlD = "\x04"

func (p *person) types(line string) { p.lines <- line }

// quits ends the session as control-D does.
func (p *person) quits() {
	p.t.Helper()
	close(p.lines)
	if err := <-p.ended; err != nil {
		p.t.Errorf("the session ended with %v", err)
	}
}

func testApp(dir string) *app {
	return &app{
		text: &text.Printer{}, in: strings.NewReader(""), out: io.Discard, err: io.Discard,
		getenv: func(string) string { return "" }, dir: dir,
	}
}

// daemonFor runs a node for a directory on the loopback.
func daemonFor(t *testing.T, dir, nick string, peers ...string) *daemon {
	t.Helper()
	d, err := startDaemon(t.Context(), testApp(dir), &runFlags{
		name: nick, noMDNS: true, listen: []string{"/ip4/127.0.0.1/tcp/0"}, peers: peers,
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.close() })
	return d
}

// sit opens a session on the node of a directory, which another process runs.
func sit(t *testing.T, dir string) *person {
	t.Helper()
	return sitIn(t, dir, nil)
}

// sitIn opens a session in the process that runs the node own.
func sitIn(t *testing.T, dir string, own *daemon) *person {
	t.Helper()
	c, err := client.Dial(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	p := &person{t: t, dir: dir, lines: make(chan string), shown: make(chan struct{}, 1), ended: make(chan error, 1)}
	a := testApp(dir)
	a.out, a.err = p, p
	s := newSession(a, c)
	s.screen, s.own = p, own
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { // the cleanup waits for it
		defer close(done)
		p.ended <- s.hold(ctx, nil)
	}()
	t.Cleanup(func() { cancel(); <-done; c.Close() })
	return p
}

func TestTwoPeopleTalk(t *testing.T) {
	a := daemonFor(t, t.TempDir(), "ada")
	ada := sit(t, a.node.Dir())
	ada.sees("you are ada (…")
	ada.sees("This network is open")
	ada.sees("parley network new private --dir ")
	ada.sees("* nobody else is in lobby yet\n") // the lobby was joined
	ada.types("anybody?")
	ada.sees("* nobody else is here: what you write is kept")

	b := daemonFor(t, t.TempDir(), "bob", a.addrs()...)
	bob := sit(t, b.node.Dir())
	ada.sees("* bob joined\n")
	bob.sees("ada: anybody?\n")
	bob.types("hello ada")
	ada.sees("  bob: hello ada\n")
	ada.types("//slash")
	bob.sees("ada: /slash\n")

	// Own lines are on the screen as typed and not shown again; what another
	// command sends for the same person is.
	ada.types("/msg lobby to be seen once")
	bob.sees("to be seen once")
	again := sit(t, a.node.Dir())
	again.sees("ada: to be seen once\n")
	again.sees("* in lobby: bob\n")
	again.types("from the other screen")
	ada.sees("ada: from the other screen\n")
	ada.mu.Lock()
	if strings.Contains(ada.screen.String(), "to be seen once") {
		t.Error("an own line was shown again")
	}
	ada.mu.Unlock()
	again.quits()

	// Rooms beside the one in front.
	bob.types("/join ops")
	bob.sees("* nobody else is in ops yet\n")
	ada.types("/join OPS")
	bob.sees("* ada joined\n")
	bob.types("/leave lobby")
	ada.sees("* [lobby] bob left\n")
	bob.types("in front")
	ada.sees("  bob: in front\n")
	ada.types("/leave")
	ada.sees("* you left OPS\n")
	bob.quits()
	ada.quits()
}

func TestCommandsOfTheChat(t *testing.T) {
	d := daemonFor(t, t.TempDir(), "ada")
	p := sit(t, d.node.Dir())
	for _, c := range []struct{ line, want string }{
		{"/help", "/quit                end the chat\n"},
		{"/histroy", "There is no command /histroy; did you mean /history? // begins"},
		{"/foo \x1b[2J", "There is no command /foo: /help lists them"},
		{"/join", "It is used so: /join ROOM\n"},
		{"/join #x", "(P4002)\n"},
		{"/join @bob", "\"@bob\" is a peer, not a room: name a room (P4002)\n"},
		{"/msg", "It is used so: /msg PEER TEXT\n"},
		{"/msg @bob", "no known peer is called \"bob\": give its whole peer ID (P4012)\n"},
		{"/msg ada", "* you and ada have not written to each other yet\n"},
		{"/msg @bob hi", "no known peer is called \"bob\": give its whole peer ID (P4012)\n"},
		{"/msg \"the bob\" hi", "no known peer is called \"the bob\": give its whole peer ID (P4012)\n"},
		{"/msg lobby", "It is used so: /msg ROOM TEXT\n"},
		{"/msg other hi", "no known peer is called \"other\": give its whole peer ID (P4012)\n"},
		{"/msg ada milk", "  [@] you to ada alone: milk\n"},
		{"/msg ada", "  [@] you to ada alone: milk\n"},
		{"/history @ada 1", "  [@] you to ada alone: milk\n"},
		{"/history @ada x", "It is used so: /history [@PEER] [N]\n"},
		{"/history @bob", "no known peer is called"},
		{"/leave other", "the joined ones are listed by: /rooms (P4001)\n"},
		{"/join two words", "* nobody else is in two words yet\n"},
		{"/JOIN lobby", "* nobody else is in lobby yet\n"},
		{"/msg two words by the way", "  [two words] ada: by the way\n"},
		{"/leave two words", "* you left two words\n"},
		{"not \xff text", "(P1012)\n"},
		{"/status", "directory      "},
		{"/peers", "no peers yet"},
		{"/rooms", "lobby  1        yes\n\nNICK  PEER       ONLINE  UNREAD  LAST   YOURS IS\nada   …"},
		{"/members", "ada   …"},
		{"/history x", "It is used so: /history [@PEER] [N]\n"},
		{"/leave", "You are in no room: /join ROOM goes to one.\n"},
		{"hello?", "You are in no room"},
		{"/history", "You are in no room"},
		{"/members", "You are in no room"},
		{"/leave", "You are in no room"},
	} {
		p.types(c.line)
		p.sees(c.want)
	}
	p.types("/quit")
	if err := <-p.ended; err != nil {
		t.Errorf("quitting: %v", err)
	}
	// A lobby that was left stays left.
	p = sit(t, d.node.Dir())
	p.sees("You are in no room")
	if names := roomNames(t, d); len(names) != 0 {
		t.Errorf("joined %v", names)
	}
}

func roomNames(t *testing.T, d *daemon) (names []string) {
	t.Helper()
	rooms, err := d.chat.Rooms(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rooms {
		if r.Joined {
			names = append(names, r.Name)
		}
	}
	return names
}

func TestSessionSaysThatTheNodeWent(t *testing.T) {
	d := daemonFor(t, t.TempDir(), "ada")
	p := sit(t, d.node.Dir())
	p.sees("* nobody else")
	room, err := d.chat.Room(lobby)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := room.Send(t.Context(), chat.Text("news")); err != nil {
		t.Fatal(err)
	}
	p.sees("ada: news\n") // updates are being received
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
	err = <-p.ended
	if want := "go on with: parley --dir " + quote(p.dir) + " (P5004)"; !errors.Is(err, api.ErrGone) || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v, want %v and %q", err, api.ErrGone, want)
	}
}

func TestNamesakesAreToldApart(t *testing.T) {
	n := names{}
	if got := n.of("12D3KooWaaaaaaaa", "ada"); got != "ada" {
		t.Error(got)
	}
	if got := n.of("12D3KooWbbbbbbbb", "ADA"); got != "ADA (…bbbbbbbb)" {
		t.Error(got)
	}
	if got := n.of("12D3KooWaaaaaaaa", "ada"); got != "ada (…aaaaaaaa)" {
		t.Error(got)
	}
}

func TestEveryHelpIsTranslated(t *testing.T) {
	zh := text.New(func(string) string { return "zh_CN" })
	for _, c := range commands {
		if zh.T(c.help) == c.help {
			t.Errorf("no Chinese for %s: %q", c.name, c.help)
		}
	}
}

func TestShortDialError(t *testing.T) {
	long := "failed to dial: all dials failed\n  * [/ip4/127.0.0.1/tcp/1] dial tcp4 127.0.0.1:1: connect: connection refused" +
		"\n  * [/ip4/127.0.0.1/udp/1/quic-v1] timeout: no recent network activity"
	if got := shortDialError(long); got != "connection refused, no recent network activity" {
		t.Error(got)
	}
	if got := shortDialError("no addresses"); got != "no addresses" {
		t.Error(got)
	}
}

func TestQuote(t *testing.T) {
	for word, want := range map[string]string{
		"/home/ada/x-1": "/home/ada/x-1", "a b": "'a b'", "it's": `'it'\''s'`, "": "''", "$(x)": "'$(x)'",
	} {
		if got := quote(word); got != want {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
	}
}

func TestMetricsAddr(t *testing.T) {
	for addr, want := range map[string]string{
		"9330": "127.0.0.1:9330", ":9330": "127.0.0.1:9330", "0.0.0.0:1": "0.0.0.0:1", "[::1]:1": "[::1]:1", "host:1": "host:1",
	} {
		if got := metricsAddr(addr); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}

func TestExitStatus(t *testing.T) {
	a := testApp("d")
	for err, want := range map[error]int{
		nil: 0, errUsage: 2, errValue: 2, errConfigFile: 2, errTerminal: 2, errFile: 1,
		api.ErrNoNode: 3, a.noNode(api.ErrNoNode): 3, api.ErrGone: 1, context.Canceled: 1, errReported: 1, errors.New("bug"): 1,
		a.usage("parley", "it needs a command: new, show or rotate"): 2,
	} {
		if got := a.report(err); got != want {
			t.Errorf("%v: status %d, want %d", err, got, want)
		}
	}
	if !slices.Contains(notSettings, "help") {
		t.Error("help became a setting")
	}
}

// What one is told alone shows apart from the rooms, with how to answer, and
// who told it sees that it was read.
func TestTwoPeopleTalkAlone(t *testing.T) {
	a := daemonFor(t, t.TempDir(), "ada")
	b := daemonFor(t, t.TempDir(), "小明", a.addrs()...)
	ada := sit(t, a.node.Dir())
	ada.sees("/help lists")
	ming := sit(t, b.node.Dir())
	ada.sees("小明") // joined, or was there
	ming.sees("ada")
	ada.types("/msg 小明 for you alone")
	ada.sees("  [@] you to 小明 alone: for you alone\n")
	ming.sees("  [@] ada to you alone: for you alone\n* nobody else sees it; answer with: /msg ada TEXT\n")
	ming.types("/msg @ada and for you")
	ming.sees("  [@] you to ada alone: and for you\n")
	ada.sees("  [@] 小明 to you alone: and for you\n")
	ada.sees("answer with: /msg 小明 TEXT\n")
	deadline := time.After(scriptWait)
	for state := ""; state != chat.StateRead; {
		select {
		case <-deadline:
			t.Fatalf("what ada told is %s", state)
		case <-time.After(20 * time.Millisecond):
		}
		for m, err := range a.chat.Direct(b.node.ID()).History(t.Context(), chat.Query{Limit: 2}) {
			if err != nil {
				t.Fatal(err)
			}
			if m.Self {
				state = m.State
			}
		}
	}
	ada.types("/join 小明")
	ada.types("/msg 小明 for nobody else")
	ada.sees("* 小明 is a room and a person: /msg @小明 TEXT writes to the person, /join 小明 leads to the room\n")
	ada.types("/leave 小明")
	ming.quits()
	b.close()
	ada.sees("小明 is away")
	ada.types("/msg 小明 still there?")
	ada.sees("* 小明 is not here: what you write is kept and reaches them when they come\n")
	ada.quits()
}
