package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/parley-chat/parley/internal/audit"
	"github.com/parley-chat/parley/node"
)

// auditlog DIR N [COSIGNER…]: adds N records to the audit log of a directory, as
// its registrar does, and has those of other directories cosign it, unless they find
// that it has forked. Sets $DIR_ID and $COSIGNER_ID.
func cmdAuditlog(ts *testscript.TestScript, _ bool, args []string) {
	l := openAudit(ts, args[0])
	more, err := strconv.Atoi(args[1])
	ts.Check(err)
	for range more {
		r := auditRecord(int(l.Size()))
		if args[0] == "twin" { // another history
			r.Reason = "twin"
		}
		_, err := l.Append(context.Background(), r)
		ts.Check(err)
	}
	ts.Check(l.Close())
	for _, name := range args[2:] {
		cosignedBy(ts, args[0], name)
	}
}

func cosignedBy(ts *testscript.TestScript, name, by string) {
	l, other := openAudit(ts, name), openAudit(ts, by)
	defer l.Close()
	defer other.Close()
	c, _ := l.Checkpoint()
	seen, _, err := other.Seen(c.Origin)
	ts.Check(err)
	proof, err := l.Consistency(min(seen.Size, c.Size), c.Size)
	ts.Check(err)
	signed, err := other.Cosign(c.Note, proof)
	if errors.Is(err, audit.ErrForked) {
		return
	}
	ts.Check(err)
	ts.Check(l.Attach(signed))
}

func openAudit(ts *testscript.TestScript, name string) *audit.Log {
	dir := ts.MkAbs(name)
	id, err := node.OpenIdentity(dir)
	ts.Check(err)
	s, err := audit.NewSigner("0a1b2c3d", id.Author(), id.Sign)
	ts.Check(err)
	l, err := audit.Open(filepath.Join(dir, audit.DirName), audit.Config{Signer: s})
	ts.Check(err)
	ts.Setenv(name+"_ID", id.ID().String())
	return l
}

// auditRecord is record n: each op in turn.
func auditRecord(n int) audit.Record {
	const ada, bob = "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5", "12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq"
	all := []audit.Record{
		{Op: audit.OpRegister, Actor: ada, Reason: "code", Addr: "/ip4/192.0.2.7/tcp/7330", MAC: "02:00:5e:10:00:01"},
		{Op: audit.OpLogin, Actor: ada, Addr: "/ip4/192.0.2.7/tcp/7330"},
		{Op: audit.OpRefuse, Reason: "expired", Detail: "a \"certificate\" of\x1b[2J yesterday"},
		{Op: audit.OpRevoke, Actor: bob, Subject: ada},
		{Op: audit.OpForward, Subject: "0568001714cd", Size: 512},
		{Op: audit.OpAdmin, Actor: bob, Detail: fmt.Sprint("number ", n)},
	}
	r := all[n%len(all)]
	r.Time = time.Date(2025, 11, 26, 9, 0, n, 0, time.UTC)
	return r
}
