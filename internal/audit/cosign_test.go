package audit

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// logBy opens a log of registrar who.
func logBy(t *testing.T, dir string, who byte) *Log {
	t.Helper()
	c := small(t)
	c.Signer, _ = registrar(t, who)
	return open(t, dir, c)
}

// grown appends up to n records, closes the log and opens it again: its
// checkpoint is of all.
func grown(t *testing.T, l *Log, who byte, n int) (*Log, Checkpoint) {
	t.Helper()
	fill(t, l, int(l.Size()), n)
	closed(t, l)
	l = logBy(t, l.dir, who)
	c, _ := l.Checkpoint()
	if c.Size != int64(n) {
		t.Fatalf("the checkpoint is of %d records, want %d", c.Size, n)
	}
	return l, c
}

func consistency(t *testing.T, l *Log, from, to int64) tlog.TreeProof {
	t.Helper()
	p, err := l.Consistency(from, to)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Two registrars cosign the log of a third as it grows; it keeps what they say,
// its verifiers see it, and its proofs carry it.
//
// spec: 12-audit M9, M10
func TestRegistrarsCosign(t *testing.T) {
	a, b, c := logBy(t, t.TempDir(), 1), logBy(t, t.TempDir(), 2), logBy(t, t.TempDir(), 3)
	_, idA := registrar(t, 1)
	_, idB := registrar(t, 2)
	_, idC := registrar(t, 3)
	seen := int64(0)
	for _, n := range []int{5, 12, 12, 40} {
		var point Checkpoint
		a, point = grown(t, a, 1, n)
		for _, by := range []*Log{b, c} {
			old, ok, err := by.Seen(idA)
			if err != nil || ok != (seen > 0) || old.Size != seen {
				t.Fatalf("seen: %+v, %t, %v", old, ok, err)
			}
			signed, err := by.Cosign(point.Note, consistency(t, a, old.Size, point.Size))
			if err != nil {
				t.Fatal(err)
			}
			if err := a.Attach(signed); err != nil {
				t.Fatal(err)
			}
		}
		seen = int64(n)
	}
	closed(t, b)
	b = logBy(t, b.dir, 2)
	if old, ok, err := b.Seen(idA); err != nil || !ok || old.Size != 40 {
		t.Errorf("after a restart: %+v, %t, %v", old, ok, err)
	}
	closed(t, a)
	rep, err := verified(t, a.dir, idB, idC)
	both := slices.Contains(rep.Cosigners, idB) && slices.Contains(rep.Cosigners, idC)
	if err != nil || rep.Cosigned != 40 || len(rep.Cosigners) != 2 || !both || rep.Checkpoints < 6 {
		t.Errorf("%+v, %v", rep, err)
	}
	if rep, err := verified(t, a.dir, idC); err != nil || len(rep.Cosigners) != 1 || rep.Cosigners[0] != idC {
		t.Errorf("who is not trusted is counted: %+v, %v", rep, err)
	}
	p, err := Prove(a.dir, 3)
	if err != nil || strings.Count(p.Checkpoint, "\n— ") != 3 {
		t.Errorf("the proof has %q, %v", p.Checkpoint, err)
	}
}

// A registrar that shows one history to one and another to the other, or that was
// set back, is found out, and the error says with which sizes and roots.
//
// spec: 12-audit M9
func TestForkedHistoriesAreFound(t *testing.T) {
	dir := logOf(t, 8)
	twin := copyDir(t, dir)
	_, idA := registrar(t, 1)
	a, pointA := grown(t, logBy(t, dir, 1), 1, 20)
	other := logBy(t, twin, 1)
	for range 12 {
		if _, err := other.Append(t.Context(), Record{Time: at, Op: OpAdmin}); err != nil {
			t.Fatal(err)
		}
	}
	other, pointOther := grown(t, other, 1, 20)
	b := logBy(t, t.TempDir(), 2)
	if _, err := b.Cosign(pointA.Note, nil); err != nil {
		t.Fatal(err)
	}
	a, later := grown(t, a, 1, 30)
	other, otherLater := grown(t, other, 1, 33)
	early, err := sign(b.config.Signer, 3, tlog.Hash{})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		msg   []byte
		proof tlog.TreeProof
		want  error
		says  []string
	}{
		"same size":              {pointOther.Note, nil, ErrForked, []string{"with 20 records", pointA.Root.String(), pointOther.Root.String(), "has forked"}},
		"grown from the other":   {otherLater.Note, consistency(t, other, 20, 33), ErrForked, []string{"with 20 records", "with 33", otherLater.Root.String()}},
		"no proof":               {later.Note, nil, ErrForked, []string{"nothing proves"}},
		"a proof of other sizes": {later.Note, consistency(t, a, 19, 30), ErrForked, nil},
		"set back":               {checkpointOf(t, a, 15), consistency(t, a, 15, 20), ErrForked, []string{"no log shrinks"}},
		"one's own":              {early, nil, ErrUnfit, []string{"own"}},
		"no note":                {[]byte("hello\n"), nil, ErrUnfit, nil},
		"another network's":      {checkpointIn(t, "ffffffff", 40), nil, ErrUnfit, []string{"another network"}},
		"a broken signature":     {[]byte(strings.Replace(string(later.Note), "\n30\n", "\n31\n", 1)), nil, ErrUnfit, []string{"signature"}},
	} {
		signed, err := b.Cosign(c.msg, c.proof)
		if !errors.Is(err, c.want) || signed != nil {
			t.Errorf("%s: %q, %v", name, signed, err)
			continue
		}
		for _, s := range c.says {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%s: %v does not say %q", name, err, s)
			}
		}
	}
	if old, _, err := b.Seen(idA); err != nil || old.Size != 20 || old.Root != pointA.Root {
		t.Errorf("what was refused is remembered: %+v, %v", old, err)
	}
	if _, err := b.Cosign(later.Note, consistency(t, a, 20, 30)); err != nil {
		t.Errorf("the honest one afterwards: %v", err)
	}
	flip(t, b.dir, seenName+"/"+idA.String()+".note", 100)
	if _, err := b.Cosign(later.Note, nil); !errors.Is(err, ErrCheckpoint) {
		t.Errorf("what was seen is damaged: %v", err)
	}
}

// checkpointOf signs what a log of registrar 1 was once.
func checkpointOf(t *testing.T, l *Log, size int64) []byte {
	t.Helper()
	root, err := tlog.TreeHash(size, l.hashes)
	if err != nil {
		t.Fatal(err)
	}
	msg, err := sign(l.config.Signer, size, root)
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

// checkpointIn is a checkpoint of registrar 1 in another network.
func checkpointIn(t *testing.T, tag string, size int64) []byte {
	t.Helper()
	s, id := registrar(t, 1)
	v, err := verifierOf(logName(tag, id), id)
	if err != nil {
		t.Fatal(err)
	}
	msg, err := sign(signer{v, s.(signer).sign}, size, tlog.Hash{})
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

// What others alone have signed is nobody's checkpoint.
//
// spec: 12-audit M6
func TestACheckpointIsSignedByItsOrigin(t *testing.T) {
	s1, _ := registrar(t, 1)
	s2, _ := registrar(t, 2)
	text := formatTree(s1.Name(), 3, tlog.Hash{3})
	for name, c := range map[string]struct {
		by   []note.Signer
		want error
	}{
		"another": {[]note.Signer{s2}, errUnsigned}, "both": {[]note.Signer{s2, s1}, nil}, "the origin": {[]note.Signer{s1}, nil},
	} {
		msg, err := note.Sign(&note.Note{Text: text}, c.by...)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseCheckpoint(msg)
		if !errors.Is(err, c.want) || err == nil && (got.Signers[0] != got.Origin || len(got.Signers) != len(c.by)) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// Only what others signed of this very log is attached.
//
// spec: 12-audit M10
func TestOnlyCosignaturesOfThisLogAreAttached(t *testing.T) {
	a, point := grown(t, logBy(t, t.TempDir(), 1), 1, 9)
	b, pointB := grown(t, logBy(t, t.TempDir(), 2), 2, 9)
	s2, _ := registrar(t, 2)
	cosigned := func(msg []byte) []byte {
		n, err := note.Open(msg, byName{})
		if err != nil {
			t.Fatal(err)
		}
		if msg, err = note.Sign(n, s2); err != nil {
			t.Fatal(err)
		}
		return msg
	}
	wrong, err := sign(a.config.Signer, 9, tlog.Hash{9})
	if err != nil {
		t.Fatal(err)
	}
	large, err := sign(a.config.Signer, 10, tlog.Hash{9})
	if err != nil {
		t.Fatal(err)
	}
	for name, msg := range map[string][]byte{
		"nobody's else": point.Note, "another log's": cosigned(pointB.Note), "another root": cosigned(wrong),
		"larger": cosigned(large), "none": []byte("x"),
	} {
		if err := a.Attach(msg); !errors.Is(err, ErrUnfit) {
			t.Errorf("%s: %v", name, err)
		}
	}
	good := cosigned(point.Note)
	for range 3 { // what is there already is not written again
		if err := a.Attach(good); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(read(t, a.dir, cosignedName), "\n"); n != 1 {
		t.Errorf("%d lines", n)
	}
	closed(t, a)
	closed(t, b)
	if err := a.Attach(good); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := b.Cosign(point.Note, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Cosign after Close: %v", err)
	}
}
