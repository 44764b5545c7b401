package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/examples/internal/guest"
)

var secret = []byte("a secret of the test's that is long enough")

// service is the other end: it fails as often as it is told, then takes posts.
func service(t *testing.T, answers ...int) (url string, tried <-chan post) {
	all := make(chan post, 100)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var p post
		if err != nil || verify(r.Header, secret, fromRoom, time.Now(), body) != nil || json.Unmarshal(body, &p) != nil {
			t.Errorf("posted %q, %v", body, err)
		}
		if len(answers) > 0 {
			w.WriteHeader(answers[0])
			answers = answers[1:]
		}
		all <- p
	}))
	t.Cleanup(s.Close)
	return s.URL, all
}

// bridge runs the example; cfg may run again with its directory.
func bridge(t *testing.T, cfg config) (url string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, cfg, l) }()
	return "http://" + l.Addr().String() + "/", func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func configOf(t *testing.T, g *guest.Guest, to string) config {
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	return config{g.Config(t), "lobby", to, secret, time.Millisecond, log}
}

func next(t *testing.T, tried <-chan post) post {
	t.Helper()
	select {
	case p := <-tried:
		return p
	case <-time.After(time.Minute):
		t.Fatal("nothing was posted")
		return post{}
	}
}

func TestWhatIsSaidIsPosted(t *testing.T) {
	g := guest.In(t, "lobby")
	url, tried := service(t, 503, 429, 200, 400, 302)
	cfg := configOf(t, g, url)
	_, stop := bridge(t, cfg)
	g.Meet()
	// The first is tried until it is taken, always with the same id; the second
	// and third are refused for good and hold the fourth up no longer.
	id := g.Say("one")
	for range 3 {
		if p := next(t, tried); p != (post{id.String(), "lobby", "guest", "one"}) {
			t.Errorf("posted %+v", p)
		}
	}
	for _, text := range []string{"two", "three", "four"} {
		g.Say(text)
		if p := next(t, tried); p.Text != text {
			t.Errorf("posted %+v, want %q", p, text)
		}
	}
	stop()
	// What is said while the bridge is down is posted later; again at most
	// what was on its way.
	g.Say("five")
	_, stop = bridge(t, cfg)
	defer stop()
	p := next(t, tried)
	if p.Text == "four" { // the bridge was stopped before it had the answer
		p = next(t, tried)
	}
	if p.Text != "five" {
		t.Errorf("after a restart %+v was posted", p)
	}
}

// to posts to the bridge and returns the status.
func to(t *testing.T, url, body string, sign func(http.Header)) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	sign(r.Header)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

func TestWhatIsPostedIsSaidOnce(t *testing.T) {
	g := guest.In(t, "lobby")
	back, tried := service(t)
	url, stop := bridge(t, configOf(t, g, back))
	defer stop()
	g.Meet()
	signed := func(secret []byte, direction string, ago time.Duration, body string) func(http.Header) {
		return func(h http.Header) { sign(h, secret, direction, time.Now().Add(-ago), []byte(body)) }
	}
	post := func(body string) int { return to(t, url, body, signed(secret, toRoom, 0, body)) }
	const good = `{"id":"build 7","text":"the build is green"}`
	for range 3 {
		if code := post(good); code != 200 {
			t.Errorf("posting: %d", code)
		}
	}
	for what, sign := range map[string]func(http.Header){
		"another secret":               signed([]byte("another secret of the same length or so"), toRoom, 0, good),
		"what the bridge itself posts": signed(secret, fromRoom, 0, good),
		"an old request":               signed(secret, toRoom, 2*maxOff, good),
		"one of the future":            signed(secret, toRoom, -2*maxOff, good),
		"no signature":                 func(http.Header) {},
		"another time than signed": func(h http.Header) {
			signed(secret, toRoom, 2*maxOff, good)(h)
			h.Set(timeHeader, strconv.FormatInt(time.Now().Unix(), 10))
		},
	} {
		if code := to(t, url, good, sign); code != 401 {
			t.Errorf("%s: %d", what, code)
		}
	}
	for want, body := range map[int]string{
		400: `{"text":"no id"}`,
		413: `{"id":"x","text":"` + strings.Repeat("x", maxBody) + `"}`,
	} {
		if code := post(body); code != want {
			t.Errorf("%.30s: %d, want %d", body, code, want)
		}
	}
	for _, body := range []string{"", "[]", `{"id":"x","text":""}`, `{"id":"` + strings.Repeat("x", 65) + `","text":"x"}`} {
		if code := post(body); code != 400 {
			t.Errorf("%.30q: %d", body, code)
		}
	}
	if code := post(`{"id":"build 8","text":"the last"}`); code != 200 {
		t.Errorf("posting: %d", code)
	}
	g.Wait("the last")
	var said []string
	for msg, err := range g.Room.History(t.Context(), chat.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		said = append(said, msg.Text)
	}
	if strings.Join(said, ", ") != "the build is green, the last" {
		t.Errorf("said: %q", said)
	}
	// What came from the service does not go back to it.
	g.Say("by a person")
	if p := next(t, tried); p.Text != "by a person" {
		t.Errorf("posted back: %+v", p)
	}
}

func TestSecretsComeFromFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	for _, none := range []string{"", file} {
		if _, err := readSecret(none); err == nil || !strings.Contains(err.Error(), "-secret") {
			t.Errorf("no file %q: %v", none, err)
		}
	}
	for text, good := range map[string]bool{"short\n": false, strings.Repeat("x", 32) + "\n": true} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := readSecret(file); (err == nil) != good || strings.HasSuffix(string(s), "\n") {
			t.Errorf("%q: %q, %v", text, s, err)
		}
	}
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readSecret(file); othersRead(info) != (err != nil) {
		t.Errorf("others can read the secret: %v; using it: %v", othersRead(info), err)
	}
}
