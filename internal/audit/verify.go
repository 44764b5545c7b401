package audit

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/mod/sumdb/tlog"
)

// progressEvery is after how many records Verify tells how far it is.
const progressEvery = 1 << 14

// Options say how to verify.
type Options struct {
	// Trusted are the peers whose signatures count. The log's owner is among
	// them, or it is refused with ErrUntrusted.
	Trusted []peer.ID
	// Progress, if it is not nil, is told now and then how many records are
	// checked, of about how many.
	Progress func(done, of int64)
}

// Report says what a log is that was verified.
type Report struct {
	Records     int64
	Checkpoints int64     // that were checked, cosigned ones too
	Signed      int64     // records that the newest checkpoint covers
	Root        tlog.Hash // of these
	Owner       peer.ID
	Tag         string // of his network
	Cosigned    int64  // records that the newest checkpoint that a trusted other signed covers
	Cosigners   []peer.ID
	// Forked are the registrars whose own logs were found to have forked when they
	// asked the owner of this one to cosign; the evidence is in its directory.
	Forked []peer.ID
}

// Verify reads a whole log, as it is when it begins if it is being written, and
// checks all that there is: the form and fingerprint of each record, its place, the hashes of the
// tree, and each checkpoint with its signatures. The error names the first record
// that is not what it was and says what is wrong: ErrChanged, ErrMissing,
// ErrOrder, ErrCheckpoint, ErrHashes; ErrUntrusted, ErrNoLog, ErrFailed.
//
// Records after the newest checkpoint are not signed yet: Report.Signed says
// where they begin.
func Verify(ctx context.Context, dir string, o Options) (Report, error) {
	v := &verifying{dir: dir, options: o, suspect: -1}
	defer v.close()
	if err := v.open(); err != nil {
		return v.report, err
	}
	err := v.run(ctx)
	if err == nil {
		v.report.Forked, err = forkedLogs(dir)
	}
	return v.report, err
}

// verifying is one call of Verify.
type verifying struct {
	dir     string
	options Options
	report  Report

	reader *Reader
	hashes *hashFile
	cursor *hashCursor // nil when the file of hashes, or its sense, is at its end
	files  [2]*notesAhead
	edge   frontier
	about  int64 // records there are, as far as it is known
	last   int64 // index that the last file of records is named by
	end    int64 // how long it was at the beginning: what comes later is not looked at

	suspect int64 // the first record that has other hashes than are stored; -1: none
	sound   int64 // records that a checkpoint was found right for
}

// notesAhead is a file of notes of which the next is known.
type notesAhead struct {
	name string
	*noteReader
	next Checkpoint
	over bool // there is none
}

// open opens the files in the order that makes one that is written look whole:
// what is written first is opened last.
func (v *verifying) open() (err error) {
	for i, name := range []string{cosignedName, checkpointsName} {
		notes, err := openNotes(v.dir, name)
		if err != nil {
			return err
		}
		v.files[i] = &notesAhead{name: name, noteReader: notes}
		if err := v.advance(v.files[i]); err != nil {
			return err
		}
	}
	if v.hashes, err = openHashes(v.dir, os.O_RDONLY); err == nil {
		v.cursor = v.hashes.cursor(0)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return ErrFailed.With(err)
	}
	if v.reader, err = NewReader(v.dir, 0); err != nil {
		return err
	}
	v.about, err = Size(v.dir)
	if err != nil && !errors.Is(err, ErrChanged) { // which is met again, and named
		return err
	}
	firsts, err := listSegments(v.dir)
	if err != nil {
		return err
	}
	v.last = firsts[len(firsts)-1]
	info, err := os.Stat(filepath.Join(v.dir, segmentName(v.last)))
	if err != nil {
		return ErrFailed.With(err)
	}
	v.end = info.Size()
	return nil
}

// more reports whether the reader is before what was there at the beginning ends.
func (v *verifying) more() bool {
	return v.reader.first < v.last || v.reader.first == v.last && v.reader.lines.at < v.end
}

func (v *verifying) close() {
	for _, f := range v.files {
		if f != nil {
			f.close()
		}
	}
	if v.hashes != nil {
		v.hashes.f.Close()
	}
	if v.reader != nil {
		v.reader.Close()
	}
}

// advance reads the next note of a file.
func (v *verifying) advance(f *notesAhead) error {
	c, err := f.noteReader.next()
	if errors.Is(err, io.EOF) {
		f.over = true
		return nil
	}
	what := "a checkpoint"
	if c.Origin != "" {
		what = "the checkpoint of " + count(c.Size)
	}
	switch {
	case errors.Is(err, ErrFailed):
		return err
	case err != nil:
		return ErrCheckpoint.Withf("%s in %s, behind that of %s, is not what was signed: %v", what, f.name, count(f.next.Size), err)
	case !slices.Contains(v.options.Trusted, c.Origin):
		return ErrUntrusted.Withf("the audit log is signed by %s, whom you did not name", c.Origin)
	case v.report.Owner != "" && (c.Origin != v.report.Owner || c.Tag != v.report.Tag):
		return ErrCheckpoint.Withf("%s in %s is of another log, that of %s", what, f.name, c.Origin)
	case c.Size < f.next.Size:
		return ErrCheckpoint.Withf("%s in %s stands behind that of %s", what, f.name, count(f.next.Size))
	}
	v.report.Owner, v.report.Tag, f.next = c.Origin, c.Tag, c
	return nil
}

func (v *verifying) run(ctx context.Context) error {
	if err := v.checkpoints(); err != nil { // of an empty log
		return err
	}
	var hashes []tlog.Hash
	for v.more() {
		line, err := v.reader.Line()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		n := v.edge.size
		if _, err := ParseAt(line, n); err != nil {
			return err
		}
		hashes = v.edge.add(tlog.RecordHash(line), hashes[:0])
		v.compare(n, hashes)
		v.report.Records = v.edge.size
		if err := v.checkpoints(); err != nil {
			return err
		}
		if v.edge.size%progressEvery == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if v.options.Progress != nil {
				v.options.Progress(v.edge.size, max(v.about, v.edge.size))
			}
		}
	}
	return v.finish()
}

// compare looks whether the file of hashes has what follows from a record. The
// file is written after the records: it may end early.
func (v *verifying) compare(n int64, hashes []tlog.Hash) {
	if v.cursor == nil {
		return
	}
	same, whole := v.cursor.are(hashes)
	if !whole || !same {
		v.cursor = nil // behind the first that differs, all do
	}
	if whole && !same {
		v.suspect = n
	}
}

// checkpoints checks those that name as many records as were read now.
func (v *verifying) checkpoints() error {
	for _, f := range v.files {
		for !f.over && f.next.Size == v.edge.size {
			if err := v.checkpoint(f); err != nil {
				return err
			}
			if err := v.advance(f); err != nil {
				return err
			}
		}
	}
	return nil
}

func (v *verifying) checkpoint(f *notesAhead) error {
	c := &f.next
	root, err := v.edge.root()
	if err != nil {
		return err
	}
	if root != c.Root {
		return v.differs(c)
	}
	if v.suspect >= 0 { // the records are as they were signed
		return ErrHashes
	}
	v.sound = c.Size
	v.report.Checkpoints++
	if f.name == checkpointsName {
		v.report.Signed, v.report.Root = c.Size, c.Root
	}
	by := slices.DeleteFunc(slices.Clone(c.Cosigners()), func(id peer.ID) bool { return !slices.Contains(v.options.Trusted, id) })
	if len(by) > 0 {
		v.report.Cosigned, v.report.Cosigners = c.Size, by
	}
	return nil
}

// differs says which record is not what a checkpoint signed.
func (v *verifying) differs(c *Checkpoint) error {
	switch {
	case v.suspect >= 0:
		return ErrChanged.Withf("record %d of the audit log was changed: it and those behind it are not what the checkpoint of %s signed", v.suspect, count(c.Size))
	case v.sound == c.Size:
		return ErrCheckpoint.Withf("two checkpoints of %s have different roots: there were two histories", count(c.Size))
	default:
		return ErrChanged.Withf("one of the records %d to %d of the audit log was changed: they are not what the checkpoint of %s signed",
			v.sound, c.Size-1, count(c.Size))
	}
}

// finish looks at what is left when all records were read.
func (v *verifying) finish() error {
	for _, f := range v.files {
		if !f.over {
			return missing(v.edge.size, f.next.Size-1, ": a checkpoint of "+count(f.next.Size)+" was signed")
		}
	}
	if v.suspect >= 0 { // not signed yet, so there is the file of hashes alone to say so
		return ErrChanged.Withf("record %d of the audit log was changed: it does not fit the file of hashes", v.suspect)
	}
	if v.report.Owner == "" && v.report.Records > 0 {
		return ErrUnsaid.Withf("no checkpoint of the audit log is signed yet")
	}
	return nil
}
