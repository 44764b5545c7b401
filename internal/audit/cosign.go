package audit

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/parley-chat/parley/internal/disk"
)

// forkedEnd ends the name of a file of evidence.
const forkedEnd = ".forked"

// maxSeen is of how many other registrars a checkpoint is remembered.
const maxSeen = 256

// Seen returns the newest checkpoint of another registrar that this one has
// cosigned; ok is false if there is none. Who asks for a cosignature proves that
// his log has grown from there.
func (l *Log) Seen(id peer.ID) (c Checkpoint, ok bool, err error) {
	msg, err := os.ReadFile(l.seenPath(id))
	if errors.Is(err, fs.ErrNotExist) {
		return c, false, nil
	}
	if err != nil {
		return c, false, ErrFailed.With(err)
	}
	if c, err = ParseCheckpoint(msg); err != nil || c.Origin != id {
		return c, false, ErrCheckpoint.Withf("what was seen of the audit log of %s is damaged", id).With(err)
	}
	return c, true, nil
}

func (l *Log) seenPath(id peer.ID) string {
	return filepath.Join(l.dir, seenName, id.String()+".note")
}

// Cosign signs another registrar's checkpoint, if its log begins with all that
// was seen of it here; that is on disk before the note with both signatures is
// returned. proof is that log's Consistency from the size of Seen, empty if it
// has no more records than then, or nothing was seen. The caller knows that the
// origin is a registrar.
//
// ErrForked: the log is not the one that was seen, or was set back. ErrUnfit:
// anything else is wrong with the checkpoint, and says what.
//
// spec: 12-audit §6
func (l *Log) Cosign(checkpoint []byte, proof tlog.TreeProof) ([]byte, error) {
	c, err := ParseCheckpoint(checkpoint)
	if err != nil {
		return nil, ErrUnfit.With(err)
	}
	own, _, err := parseName(l.config.Signer.Name())
	if err != nil {
		return nil, err
	}
	name := logName(c.Tag, c.Origin)
	switch {
	case c.Tag != own:
		return nil, ErrUnfit.With(errors.New("it is of another network"))
	case name == l.config.Signer.Name():
		return nil, ErrUnfit.With(errors.New("it is this registrar's own"))
	}
	l.cosigning.Lock()
	defer l.cosigning.Unlock()
	if l.isClosed() {
		return nil, ErrClosed
	}
	old, ok, err := l.Seen(c.Origin)
	if err != nil {
		return nil, err
	}
	if ok {
		if err := follows(&c, &old, proof); err != nil {
			return nil, errors.Join(err, l.keepEvidence(&c))
		}
	}
	// Signatures by others are left out: each is given to the origin alone.
	text := formatTree(name, c.Size, c.Root)
	signed, err := note.Sign(&note.Note{Text: text, Sigs: originOf(checkpoint)}, l.config.Signer)
	if err != nil {
		return nil, ErrUnfit.With(err)
	}
	if err := l.remember(&c, !ok, signed); err != nil {
		return nil, err
	}
	return signed, nil
}

// originOf returns the signature of the origin of a checkpoint that was parsed.
func originOf(msg []byte) []note.Signature {
	n, err := note.Open(msg, byName{})
	if err != nil {
		return nil
	}
	name, _, _ := strings.Cut(n.Text, "\n")
	return slices.DeleteFunc(n.Sigs, func(s note.Signature) bool { return s.Name != name })
}

// follows checks that a log at c begins with what it was at old.
//
// spec: 12-audit §6
func follows(c, old *Checkpoint, proof tlog.TreeProof) error {
	forked := func(what string) error {
		return ErrForked.Withf("the history of the audit log of %s has forked: with %d records its root was %s, with %d it is %s, and %s",
			c.Origin, old.Size, old.Root, c.Size, c.Root, what)
	}
	switch {
	case c.Size < old.Size:
		return forked("no log shrinks")
	case c.Size == old.Size && c.Root != old.Root:
		return forked("both are signed")
	case c.Size == old.Size || old.Size == 0:
		return nil
	case tlog.CheckTree(proof, c.Size, c.Root, old.Size, old.Root) != nil:
		return forked("nothing proves that the one begins with the other")
	}
	return nil
}

// keepEvidence keeps the first checkpoint of another registrar that does not follow
// from what was seen of its log, whose newest stays beside it: both are signed.
func (l *Log) keepEvidence(c *Checkpoint) error {
	path := filepath.Join(l.dir, seenName, c.Origin.String()+forkedEnd)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := disk.Replace(path, c.Note); err != nil {
		return ErrFailed.With(err)
	}
	return nil
}

// forkedLogs returns whose logs were found to have forked by who keeps the log in dir.
func forkedLogs(dir string) (all []peer.ID, err error) {
	names, err := filepath.Glob(filepath.Join(dir, seenName, "*"+forkedEnd))
	if err != nil {
		return nil, ErrFailed.With(err)
	}
	for _, name := range names {
		msg, err := os.ReadFile(name)
		if err != nil {
			return nil, ErrFailed.With(err)
		}
		c, err := ParseCheckpoint(msg)
		if err != nil || filepath.Base(name) != c.Origin.String()+forkedEnd {
			return nil, ErrCheckpoint.Withf("what is kept of a log that has forked, %s, is damaged", filepath.Base(name)).With(err)
		}
		all = append(all, c.Origin)
	}
	return all, nil
}

// remember keeps the newest checkpoint of another registrar.
func (l *Log) remember(c *Checkpoint, first bool, msg []byte) error {
	dir := l.path(seenName)
	if first {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return ErrFailed.With(err)
		}
		all, err := filepath.Glob(filepath.Join(dir, "*.note"))
		if err != nil {
			return ErrFailed.With(err)
		}
		if len(all) >= maxSeen {
			return ErrUnfit.With(errors.New("too many registrars are known here"))
		}
	}
	if err := disk.Replace(l.seenPath(c.Origin), msg); err != nil {
		return ErrFailed.With(err)
	}
	return nil
}

// Attach takes in a checkpoint of this log that others have cosigned, and keeps
// it with the signatures that were attached to the same one before. Older ones
// than the newest attached are passed over: that one says all they do.
// ErrUnfit: it is not this log's, or nobody else has signed it.
func (l *Log) Attach(cosigned []byte) error {
	c, err := ParseCheckpoint(cosigned)
	if err != nil {
		return ErrUnfit.With(err)
	}
	l.cosigning.Lock()
	defer l.cosigning.Unlock()
	switch {
	case l.isClosed():
		return ErrClosed
	case logName(c.Tag, c.Origin) != l.config.Signer.Name() || c.Size > l.Size():
		return ErrUnfit.With(errors.New("it is not of this log"))
	case len(c.Cosigners()) == 0:
		return ErrUnfit.With(errors.New("nobody else has signed it"))
	}
	if root, err := tlog.TreeHash(c.Size, l.hashes); err != nil || root != c.Root {
		return ErrUnfit.With(errors.New("it is not of this log"))
	}
	last, err := lastNote(l.dir, cosignedName)
	if err != nil || c.Size < last.Size {
		return err
	}
	msg, news := cosigned, true
	if c.Size == last.Size {
		if msg, news, err = joined(last.Note, cosigned); err != nil || !news {
			return err
		}
	}
	return l.appendCosigned(msg)
}

// joined returns a note with the signatures of two of the same text; news says
// whether the second has any that the first has not.
func joined(first, second []byte) (msg []byte, news bool, err error) {
	a, err := note.Open(first, byName{})
	if err != nil {
		return nil, false, ErrUnfit.With(err)
	}
	b, err := note.Open(second, byName{})
	if err != nil {
		return nil, false, ErrUnfit.With(err)
	}
	for _, s := range b.Sigs {
		if !slices.ContainsFunc(a.Sigs, func(o note.Signature) bool { return o.Name == s.Name }) {
			a.Sigs, news = append(a.Sigs, s), true
		}
	}
	a.UnverifiedSigs = nil
	if msg, err = note.Sign(a); err != nil || len(msg) > maxNote {
		return nil, false, ErrUnfit.With(errNote)
	}
	return msg, news, nil
}

// appendCosigned puts a note at the end of the file, on disk.
func (l *Log) appendCosigned(msg []byte) error {
	f, err := os.OpenFile(l.path(cosignedName), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return ErrFailed.With(err)
	}
	_, err = f.Write(noteLine(msg))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return ErrFailed.With(err)
	}
	return nil
}
