package client

import (
	"errors"
	"strings"
	"testing"

	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/internal/fault"
)

func TestEntriesThatAreNotShown(t *testing.T) {
	good := func() *v1.NodeEntry {
		id := newKey(t).id.String()
		return &v1.NodeEntry{PeerId: id, Zone: "北", Addrs: []string{"/ip4/192.0.2.1/tcp/1"}, Version: "v1", Load: 100, Registrar: id, ShortAddress: "00"}
	}
	if unsound(good()) {
		t.Error("a good one is not shown")
	}
	for name, change := range map[string]func(*v1.NodeEntry){
		"no peer ID":              func(e *v1.NodeEntry) { e.PeerId = "x" },
		"an escape in a zone":     func(e *v1.NodeEntry) { e.Zone = "\x1b[2J" },
		"a line in a version":     func(e *v1.NodeEntry) { e.Version = "1\n2" },
		"an address of a novel":   func(e *v1.NodeEntry) { e.Addrs[0] = strings.Repeat("a", maxText+1) },
		"too many addresses":      func(e *v1.NodeEntry) { e.Addrs = make([]string, 40) },
		"an escape in an address": func(e *v1.NodeEntry) { e.Addrs[0] = "/dns4/\x1b" },
		"a strange registrar":     func(e *v1.NodeEntry) { e.Registrar = "\x07" },
		"a load of 101 %":         func(e *v1.NodeEntry) { e.Load = 101 },
	} {
		e := good()
		change(e)
		if !unsound(e) {
			t.Errorf("%s is shown", name)
		}
	}
}

func TestWhyNobodyTellsOfTheDirectory(t *testing.T) {
	answered := fault.New("P6073", fault.User, "for members alone", "register")
	if err := noneAnswers(answered); !errors.Is(err, ErrNoneAnswers) || !strings.Contains(err.Error(), "for members alone") || strings.Contains(err.Error(), "register:") {
		t.Error(err)
	}
	if err := noneAnswers(ErrUnreachable.With(errors.New("dial"))); !errors.Is(err, ErrNoneAnswers) || strings.Contains(err.Error(), "dial") {
		t.Error(err)
	}
}
