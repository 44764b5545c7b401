package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/netns"
)

// An interrupt ends a measurement with all its processes and files within three
// seconds; whatever ends it, its members end too.
func TestBenchLeavesNothingBehind(t *testing.T) {
	room := []string{"room", "--nodes", "3", "--duration", "1h"}
	office := []string{"registrar", "--clients", "50", "--rate", "20", "--duration", "1h"}
	star := []string{"connections", "--n", "4", "--duration", "1h"}
	for _, c := range []struct {
		args   []string
		stores string // of those that run then, in the directory of the measurement
		count  int
		procs  int // that run then, with those that have no store
		sig    syscall.Signal
	}{
		{room, "*/store", 3, 3, syscall.SIGINT},
		{room, "*/store", 3, 3, syscall.SIGTERM},
		{room, "*/store", 3, 3, syscall.SIGKILL},
		{star, "*/*/dht", 4, 4, syscall.SIGTERM},
		{star, "*/*/dht", 4, 4, syscall.SIGKILL},
		{office, "store", 1, 3, syscall.SIGINT},
		{office, "store", 1, 3, syscall.SIGKILL},
		{[]string{"start"}, "full/store", 1, 2, syscall.SIGINT},
		{[]string{"start"}, "full/store", 1, 2, syscall.SIGTERM},
		{[]string{"start"}, "full/store", 1, 2, syscall.SIGKILL},
	} {
		t.Run(c.args[0]+" "+c.sig.String(), func(t *testing.T) {
			tmp := t.TempDir()
			cmd := exec.Command("parley", append([]string{"bench"}, c.args...)...)
			cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
			p, err := startProcess(cmd)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(p.kill)
			eventually(t, "all have stores", func() bool {
				stores, _ := filepath.Glob(filepath.Join(tmp, "parley-bench-*", c.stores))
				return len(stores) == c.count
			})
			var members []string
			eventually(t, "all processes run", func() bool {
				members = children(t, cmd.Process.Pid)
				return len(members) >= c.procs
			})
			if err := cmd.Process.Signal(c.sig); err != nil {
				t.Fatal(err)
			}
			select {
			case <-p.done:
			case <-time.After(3 * time.Second):
				t.Fatal("it did not end within 3 s")
			}
			eventually(t, "all of them have ended", func() bool { return !slices.ContainsFunc(members, runs) })
			if c.sig == syscall.SIGKILL {
				return // nobody is left to remove what was written
			}
			if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(scriptWait); !is(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within %v: %s", scriptWait, what)
		}
	}
}

// children are the processes that a process has started.
func children(t *testing.T, pid int) (all []string) {
	t.Helper()
	status, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range status {
		if s := stat(path); len(s) > 1 && s[1] == strconv.Itoa(pid) {
			all = append(all, filepath.Base(filepath.Dir(path)))
		}
	}
	return all
}

// runs says whether a process is there and not dead with nobody to bury it.
func runs(pid string) bool {
	s := stat(filepath.Join("/proc", pid, "stat"))
	return len(s) > 0 && s[0] != "Z"
}

// stat are the fields of a process after its name: state, parent and so on.
func stat(path string) []string {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil // it has ended
	}
	return strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
}

// The hub of a measurement may be reached by an address that is not loopback,
// and by that alone: all the others come from it then.
func TestBenchConnectionsOfOneAddress(t *testing.T) {
	h := netns.New(t).Host("hub")
	p := h.Start("parley", "bench", "connections", "--n", "8", "--rate", "40", "--duration", "3s", "--json", "--address", h.Addr().String())
	begin := time.Now()
	for {
		conns := strings.Fields(h.Run("ss", "-H", "-t", "-n", "state", "established"))
		if strings.Contains(strings.Join(conns, " "), "127.0.0.1") {
			t.Fatalf("connected over loopback: %v", conns)
		}
		ends := 0
		for _, field := range conns {
			if strings.HasPrefix(field, h.Addr().String()+":") {
				ends++
			}
		}
		if ends == 8*2*2 { // both ends of each are here
			break
		}
		if time.Since(begin) > followTime {
			t.Fatalf("%d ends of connections with the address, want 32: %v", ends, conns)
		}
	}
	line := p.WaitLine(startWithin, func(s string) bool { return strings.HasPrefix(s, "{") })
	if !strings.Contains(line, `"sent":120,"lost":0,`) {
		t.Error(line)
	}
}
