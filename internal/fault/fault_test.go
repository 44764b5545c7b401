package fault_test

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/parley-chat/parley/internal/fault"
)

var (
	errBusy  = fault.New("P2003", fault.Environment, "another Parley runs on this directory", "stop it or choose another --dir")
	errOther = fault.New("P2004", fault.User, "bad name", "")
)

func TestText(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{errBusy, "another Parley runs on this directory: stop it or choose another --dir (P2003)"},
		{errOther, "bad name (P2004)"},
		{errBusy.With(fs.ErrExist), "another Parley runs on this directory: file already exists: stop it or choose another --dir (P2003)"},
		{errBusy.Withf("process %d runs on it", 7), "process 7 runs on it: stop it or choose another --dir (P2003)"},
		{errBusy.Withf("process %d", 7).With(fs.ErrExist).WithDo("wait"), "process 7: file already exists: wait (P2003)"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestIdentityIsTheCode(t *testing.T) {
	err := fmt.Errorf("start: %w", errBusy.Withf("process 7").With(fs.ErrExist))
	if !errors.Is(err, errBusy) {
		t.Error("a specific fault is no longer the declared one")
	}
	if errors.Is(err, errOther) {
		t.Error("two codes are taken for one")
	}
	if !errors.Is(err, fs.ErrExist) {
		t.Error("the cause is lost")
	}
	got, ok := fault.As(err)
	if !ok || got.Code != "P2003" || got.Blame != fault.Environment {
		t.Errorf("As gave %v, %v", got, ok)
	}
	if _, ok := fault.As(fs.ErrExist); ok {
		t.Error("a plain error is taken for a fault")
	}
}

func TestDeclarationsStayUnchanged(t *testing.T) {
	_ = errBusy.Withf("other").With(fs.ErrExist).WithDo("other")
	if errBusy.What != "another Parley runs on this directory" || errBusy.Err != nil || errBusy.Do != "stop it or choose another --dir" {
		t.Errorf("a declared fault was changed: %v", errBusy)
	}
}

func TestBadDeclarationsPanic(t *testing.T) {
	for _, c := range []struct {
		code  string
		blame fault.Blame
		what  string
	}{
		{"P200", fault.User, "x"},
		{"P200x", fault.User, "x"},
		{"X2003", fault.User, "x"},
		{"P2003", 0, "x"},
		{"P2003", fault.Bug + 1, "x"},
		{"P2003", fault.User, ""},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("New(%q, %v, %q) did not panic", c.code, c.blame, c.what)
				}
			}()
			fault.New(c.code, c.blame, c.what, "")
		}()
	}
}

func TestBlameNames(t *testing.T) {
	for b, want := range map[fault.Blame]string{
		fault.User: "user", fault.Environment: "environment", fault.Peer: "peer", fault.Bug: "bug", 9: "blame(9)",
	} {
		if b.String() != want {
			t.Errorf("blame %d is %q, want %q", uint8(b), b, want)
		}
	}
}
