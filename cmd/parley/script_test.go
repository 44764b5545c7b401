package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptWait bounds every wait of a script for something that must happen.
const scriptWait = 30 * time.Second

// backgroundKey is where a script keeps its processes.
type backgroundKey struct{}

func setUp(env *testscript.Env) error {
	env.Setenv("HOME", env.WorkDir)
	env.Setenv("XDG_DATA_HOME", "")
	env.Setenv("XDG_RUNTIME_DIR", "")
	env.Setenv("LANG", "C")
	env.Setenv("LC_ALL", "")
	env.Setenv("TZ", "UTC")
	env.Values[backgroundKey{}] = map[string]*process{}
	return nil
}

func processes(ts *testscript.TestScript) map[string]*process {
	return ts.Value(backgroundKey{}).(map[string]*process)
}

// status N COMMAND…: the command ends with status N; its output can be looked
// at as after exec.
func cmdStatus(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("status %d, want %d", got, want)
	}
}

// node NAME ARGS…: starts parley run on directory NAME, on the loopback alone,
// and waits until it is ready. Sets $NAME_ID and $NAME_ADDR.
func cmdNode(ts *testscript.TestScript, neg bool, args []string) {
	startNode(ts, neg, args[0], append([]string{"parley", "run", "--listen", "/ip4/127.0.0.1/udp/0/quic-v1"}, args[1:]...))
}

// registrar NAME ARGS…: starts parley registrar likewise; sets $NAME_API too.
func cmdRegistrar(ts *testscript.TestScript, neg bool, args []string) {
	r := startNode(ts, neg, args[0], append([]string{"parley", "registrar", "--api", "127.0.0.1:0"}, args[1:]...))
	ts.Setenv(args[0]+"_API", r.Registrar.API)
}

func startNode(ts *testscript.TestScript, neg bool, name string, command []string) (r ready) {
	cmdStart(ts, neg, append(append([]string{name}, command...), "--dir", name, "--no-mdns", "--listen", "/ip4/127.0.0.1/tcp/0"))
	line := processes(ts)[name].await(ts, readyLine)
	ts.Check(json.Unmarshal([]byte(strings.TrimPrefix(line, "ready ")), &r))
	ts.Setenv(name+"_ID", r.PeerID)
	ts.Setenv(name+"_ADDR", r.Addrs[0])
	return r
}

// start NAME COMMAND…: runs a command in the background.
func cmdStart(ts *testscript.TestScript, _ bool, args []string) {
	path, err := exec.LookPath(args[1])
	ts.Check(err)
	cmd := exec.Command(path, args[2:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = environ(ts)
	p, err := startProcess(cmd)
	ts.Check(err)
	processes(ts)[args[0]] = p
	ts.Defer(p.kill)
}

// environ is the script's environment, which may differ from the test's.
func environ(ts *testscript.TestScript) []string {
	env := os.Environ()
	for _, name := range []string{
		"HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "LANG", "LC_ALL", "TZ", "PATH", "TMPDIR",
		"PARLEY_NAME", "PARLEY_JOIN", "PARLEY_DIR",
	} {
		env = append(env, name+"="+ts.Getenv(name))
	}
	return env
}

// await NAME PATTERN: waits for a further line of output that matches.
func cmdAwait(ts *testscript.TestScript, _ bool, args []string) {
	processes(ts)[args[0]].await(ts, regexp.MustCompile(args[1]))
}

// until PATTERN COMMAND…: repeats a command until its output matches.
func cmdUntil(ts *testscript.TestScript, _ bool, args []string) {
	want := regexp.MustCompile("(?m)" + args[0])
	path, err := exec.LookPath(args[1])
	ts.Check(err)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(scriptWait)
	for {
		cmd := exec.Command(path, args[2:]...)
		cmd.Dir, cmd.Env = ts.MkAbs("."), environ(ts)
		out, err := cmd.Output()
		if err == nil && want.Match(out) {
			ts.Check(ts.Exec(args[1], args[2:]...)) // once more, for stdout and stderr to look at
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			ts.Fatalf("%q did not come; the last output was (%v)\n%s", args[0], err, out)
		}
	}
}

// end NAME [SIGNAL]: ends a process by TERM, or INT, after which it must end
// within three seconds and with status 0; or by KILL.
func cmdEnd(ts *testscript.TestScript, _ bool, args []string) {
	p := processes(ts)[args[0]]
	switch strings.Join(args[1:], "") {
	case "KILL":
		p.kill()
		return
	case "INT":
		ts.Check(p.cmd.Process.Signal(os.Interrupt))
	default:
		ts.Check(p.cmd.Process.Signal(syscall.SIGTERM))
	}
	select {
	case <-p.done:
	case <-time.After(3 * time.Second):
		ts.Fatalf("%s did not end within 3 s", args[0])
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		ts.Fatalf("%s ended with status %d:\n%s", args[0], code, p.errors.String())
	}
}

// output NAME FILE: what a process that has ended printed.
func cmdOutput(ts *testscript.TestScript, _ bool, args []string) {
	p := processes(ts)[args[0]]
	<-p.done
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(strings.Join(p.all(), "")), 0o600))
}

// keys FILE KEY…: every line of the file is a JSON object with exactly these
// keys, in this order.
func cmdKeys(ts *testscript.TestScript, _ bool, args []string) {
	lines := strings.Split(strings.TrimSpace(ts.ReadFile(args[0])), "\n")
	for _, line := range lines {
		got, err := objectKeys(line)
		if err != nil {
			ts.Fatalf("%q: %v", line, err)
		}
		if !slices.Equal(got, args[1:]) {
			ts.Fatalf("keys %q\nwant %q", got, args[1:])
		}
	}
}

func objectKeys(line string) ([]string, error) {
	dec := json.NewDecoder(strings.NewReader(line))
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	var keys []string
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		keys = append(keys, key.(string))
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// field VAR FILE KEY: sets $VAR to the value of a key in the file's last line.
func cmdField(ts *testscript.TestScript, _ bool, args []string) {
	lines := strings.Split(strings.TrimSpace(ts.ReadFile(args[1])), "\n")
	var object map[string]any
	ts.Check(json.Unmarshal([]byte(lines[len(lines)-1]), &object))
	value, ok := object[args[2]].(string)
	if !ok {
		ts.Fatalf("no text %q in %s", args[2], lines[len(lines)-1])
	}
	ts.Setenv(args[0], value)
}

// get NAME PATTERN: what a process serves as metrics, at the address it logged,
// matches.
func cmdGet(ts *testscript.TestScript, _ bool, args []string) {
	p := processes(ts)[args[0]]
	addr := regexp.MustCompile(`metrics are served.* addr=(\S+)`).FindStringSubmatch(p.errors.String())
	if addr == nil {
		ts.Fatalf("no address of metrics in\n%s", p.errors.String())
	}
	res, err := http.Get("http://" + addr[1] + "/metrics")
	ts.Check(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	ts.Check(err)
	if !regexp.MustCompile("(?m)" + args[1]).Match(body) {
		ts.Fatalf("%q is not in\n%s", args[1], bytes.TrimSpace(body))
	}
}

// taken VAR: sets $VAR to a TCP port of the loopback that is in use.
func cmdTaken(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	ts.Setenv(args[0], strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
}
