package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/parley-chat/parley/internal/fault"
)

func TestSocketIsTheOwnersAlone(t *testing.T) {
	dir := t.TempDir()
	l, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(SocketPath(dir))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("socket mode %v, want 0600", info.Mode().Perm())
	}
	if _, err := Listen(dir); !errors.Is(err, ErrAnswers) {
		t.Errorf("a second listener on a living socket: %v, want %v", err, ErrAnswers)
	}
	l.Close()
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("closing left %v", left)
	}
}

func TestDeadSocketIsReplaced(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, "api.sock"))
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	if _, err := Dial(context.Background(), dir); !errors.Is(err, ErrNoNode) {
		t.Fatalf("dialling a dead socket: %v, want %v", err, ErrNoNode)
	}
	again, err := Listen(dir)
	if err != nil {
		t.Fatalf("a dead socket was not replaced: %v", err)
	}
	again.Close()
}

func TestLongPathIsReplacedByAShortOne(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_RUNTIME_DIR", "")
	for range 2 { // the second time over what a killed process left
		l, err := Listen(dir)
		if err != nil {
			t.Fatal(err)
		}
		path := SocketPath(dir)
		if len(path) > maxSocketPath || strings.HasPrefix(path, dir) {
			t.Errorf("socket at %s", path)
		}
		if info, err := os.Stat(filepath.Dir(path)); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("its directory: %v %v, want 0700", info, err)
		}
		conn, err := Dial(context.Background(), dir)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		l.(*listener).Listener.(*net.UnixListener).SetUnlinkOnClose(false)
		l.(*listener).Listener.Close() // as a killed process would leave it
	}
	l, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := SocketPath(dir)
	l.Close()
	if _, err := os.Stat(filepath.Dir(path)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("closing left %s", filepath.Dir(path))
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("closing left %v", left)
	}
}

func TestFaultsTravel(t *testing.T) {
	plain := fault.New("P4999", fault.User, "it is raining", "take an umbrella")
	cases := []struct {
		name string
		err  error
		want string
	}{
		{"as declared", plain, "it is raining: take an umbrella (P4999)"},
		{"wrapped", fmt.Errorf("send: %w", plain), "it is raining: take an umbrella (P4999)"},
		{"with a cause", plain.With(errors.New("cold front")), "it is raining: cold front: take an umbrella (P4999)"},
		{"in particular", plain.Withf("it rains in %s", "伦敦"), "it rains in 伦敦: take an umbrella (P4999)"},
		{"without a code", errors.New("boom"), "the node failed in an unforeseen way: boom: look into the node's log and report it (P5007)"},
	}
	for _, c := range cases {
		got := FromConnect(ToConnect(c.err))
		f, ok := fault.As(got)
		if !ok || f.Error() != c.want {
			t.Errorf("%s: got %v, want %s", c.name, got, c.want)
		}
	}
	if got := FromConnect(ToConnect(plain)); !errors.Is(got, plain) {
		t.Errorf("%v is not %v", got, plain)
	}
	if f, _ := fault.As(FromConnect(ToConnect(plain))); f.Blame != fault.User {
		t.Errorf("blame %v, want user", f.Blame)
	}
}

func TestTransportErrorsAreFaults(t *testing.T) {
	cases := map[connect.Code]error{
		connect.CodeUnimplemented:   ErrOther,
		connect.CodeInvalidArgument: ErrArgument,
		connect.CodeUnavailable:     ErrGone,
		connect.CodeInternal:        ErrGone,
		connect.CodeCanceled:        context.Canceled,
	}
	for code, want := range cases {
		if got := FromConnect(connect.NewError(code, errors.New("x"))); !errors.Is(got, want) {
			t.Errorf("%v: %v, want %v", code, got, want)
		}
	}
	if FromConnect(nil) != nil || ToConnect(nil) != nil {
		t.Error("nil became an error")
	}
}
