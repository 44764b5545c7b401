package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/parley-chat/parley/examples/internal/guest"
)

// running is the example.
type running struct {
	t    *testing.T
	base string
}

func start(t *testing.T, g *guest.Guest) running {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	cfg := config{node: g.Config(t), room: "lobby", nick: "shop"}
	printed, out := io.Pipe()
	go func() { ended <- run(ctx, cfg, l, out); out.Close() }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	line, err := bufio.NewReader(printed).ReadString('\n')
	if want := "http://" + l.Addr().String() + "/chat/\n"; line != want || err != nil {
		t.Fatalf("printed %q, %v, want %q", line, err, want)
	}
	return running{t, "http://" + l.Addr().String()}
}

// ask does a request and returns the status and the body.
func (s running) ask(method, path, body string, change ...func(*http.Request)) (int, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.base+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, f := range change {
		f(r)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer.StatusCode, string(b)
}

const hostile = `<script>alert("x")</script>`

func TestAChatInsideAnotherProgram(t *testing.T) {
	g := guest.In(t, "lobby")
	s := start(t, g)
	if code, body := s.ask("GET", "/", ""); code != 200 || !strings.Contains(body, "shop") {
		t.Fatalf("the program's own page: %d %q", code, body)
	}
	if code, body := s.ask("GET", "/chat/", ""); code != 200 || !strings.Contains(body, "<form") {
		t.Errorf("the chat's page: %d %q", code, body)
	}
	if code, body := s.ask("GET", "/chat/chat.js", ""); code != 200 || strings.Contains(body, "innerHTML") {
		t.Errorf("the chat's script: %d", code)
	}
	if answer, err := http.Get(s.base + "/chat/"); err != nil || !strings.HasPrefix(answer.Header.Get("Content-Security-Policy"), "default-src 'none'; script-src 'self';") {
		t.Errorf("the page may run any script: %v, %v", answer, err)
	}
	g.Meet()
	live := s.live("")
	if code, body := s.ask("POST", "/chat/messages", url.Values{"text": {hostile}}.Encode()); code != 200 {
		t.Fatalf("sending: %d %q", code, body)
	}
	if msg := g.Wait(hostile); msg.Nick != "shop" {
		t.Errorf("it is called %q", msg.Nick)
	}
	g.Say("hello")
	first, second := live(), live()
	if first.Text != hostile || second.Text != "hello" || second.Nick != "guest" {
		t.Errorf("live: %+v, %+v", first, second)
	}
	// A browser that connects anew misses nothing.
	if again := s.live(first.id)(); again.ID != second.ID {
		t.Errorf("after %s comes %+v", first.id, again)
	}
	_, body := s.ask("GET", "/chat/messages?limit=1&before="+second.ID, "")
	var messages []message
	if err := json.Unmarshal([]byte(body), &messages); err != nil || len(messages) != 1 || messages[0].Text != hostile {
		t.Errorf("history: %q, %v", body, err)
	}
	if strings.Contains(body, "<script>") {
		t.Error("what a person wrote stands in an answer as HTML")
	}
}

// heard is an event of the live stream.
type heard struct {
	message
	id string
}

// live connects and returns what waits for the next event.
func (s running) live(after string) (next func() heard) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), "GET", s.base+"/chat/live", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Last-Event-ID", after)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { answer.Body.Close() })
	if answer.StatusCode != 200 || answer.Header.Get("Content-Type") != "text/event-stream" {
		s.t.Fatalf("live: %d %v", answer.StatusCode, answer.Header)
	}
	lines := bufio.NewScanner(answer.Body)
	return func() (h heard) {
		s.t.Helper()
		for lines.Scan() {
			if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
				h.id = id
			}
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				if err := json.Unmarshal([]byte(data), &h.message); err != nil {
					s.t.Fatal(err)
				}
				return h
			}
		}
		s.t.Fatalf("the stream ended: %v", lines.Err())
		return h
	}
}

func TestOtherSitesCanDoNothing(t *testing.T) {
	g := guest.In(t, "lobby")
	s := start(t, g)
	form := url.Values{"text": {"forged"}}.Encode()
	header := func(key, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(key, value) }
	}
	host := func(r *http.Request) { r.Host = "evil.example" }
	for name, c := range map[string]struct {
		code   int
		method string
		path   string
		body   string
		change []func(*http.Request)
	}{
		"a form of another site": {403, "POST", "/chat/messages", form, []func(*http.Request){header("Sec-Fetch-Site", "cross-site")}},
		"an older browser's":     {403, "POST", "/chat/messages", form, []func(*http.Request){header("Origin", "http://evil.example")}},
		"a name that leads here": {421, "GET", "/chat/messages", "", []func(*http.Request){host}},
		"too much":               {413, "POST", "/chat/messages", "text=" + strings.Repeat("x", maxText), nil},
		"nothing":                {400, "POST", "/chat/messages", "text=", nil},
		"a limit without bound":  {400, "GET", "/chat/messages?limit=1000000", "", nil},
		"an id that is none":     {400, "GET", "/chat/messages?before=x", "", nil},
		"a message that is none": {400, "GET", "/chat/messages?before=" + strings.Repeat("0", 64), "", nil},
		"a cursor that is none":  {400, "GET", "/chat/live", "", []func(*http.Request){header("Last-Event-ID", "x")}},
		"a file of the machine":  {404, "GET", "/chat/page/../main.go", "", nil},
	} {
		code, body := s.ask(c.method, c.path, c.body, c.change...)
		if code != c.code {
			t.Errorf("%s: %d %q, want %d", name, code, body, c.code)
		}
	}
	if _, body := s.ask("GET", "/chat/messages", ""); body != "[]\n" {
		t.Errorf("something was sent: %s", body)
	}
}

func TestNamesOfTheServer(t *testing.T) {
	for _, c := range []struct {
		listen, host, base string
		good, bad          []string
	}{
		{"127.0.0.1:8090", "", "http://127.0.0.1:8090/", []string{"127.0.0.1:8090", "localhost:8090", "LocalHost:8090", "[::1]:8090"}, []string{"localhost", "localhost:80", "evil.example:8090", "evil.example", ""}},
		{"[::1]:8090", "", "http://[::1]:8090/", []string{"[::1]:8090", "localhost:8090"}, []string{"::1"}},
		{"127.0.0.1:80", "", "http://127.0.0.1/", []string{"localhost", "localhost:80", "127.0.0.1", "[::1]"}, []string{"localhost:8080"}},
		{"192.0.2.7:8080", "", "http://192.0.2.7:8080/", []string{"192.0.2.7:8080"}, []string{"localhost:8080", "192.0.2.7"}},
		{"[::]:8090", "Chat.example", "http://chat.example:8090/", []string{"chat.example:8090", "chat.example", "localhost:8090"}, []string{"evil.example:8090", "[::]:8090"}},
		{"127.0.0.1:8090", "chat.example:444", "http://chat.example:444/", []string{"chat.example:444", "localhost:8090"}, []string{"chat.example:8090"}},
		{"[::]:8090", "[2001:db8::7]", "http://[2001:db8::7]:8090/", []string{"[2001:db8::7]:8090"}, []string{"[2001:db8::7]"}},
	} {
		l := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(c.listen))
		s, err := siteOf(l, c.host)
		if err != nil || s.base != c.base {
			t.Errorf("%s, host %q: %q, %v", c.listen, c.host, s.base, err)
		}
		h := s.only(http.NotFoundHandler())
		for want, hosts := range map[int][]string{404: c.good, 421: c.bad} {
			for _, host := range hosts {
				w := httptest.NewRecorder()
				r := httptest.NewRequest("GET", "/", nil)
				r.Host = host
				h.ServeHTTP(w, r)
				if w.Code != want {
					t.Errorf("%s, host %q: %q gets %d, want %d", c.listen, c.host, host, w.Code, want)
				}
			}
		}
	}
	for _, all := range []string{"[::]:8090", "0.0.0.0:8090"} {
		if _, err := siteOf(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(all)), ""); err == nil {
			t.Errorf("%s needs no name", all)
		}
	}
}
