package audit

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// maxNote bounds a checkpoint with its signatures: some 30 of them.
const maxNote = 8 << 10

// Checkpoint is what a registrar says of his log: it had Size records then, and
// their tree the root Root.
type Checkpoint struct {
	Origin  peer.ID // whose log it is
	Tag     string  // of his network
	Size    int64
	Root    tlog.Hash
	Signers []peer.ID // whose signatures are on it and right, the origin's first
	Note    []byte    // as it was signed
}

var (
	errNote      = errors.New("it does not have the form of a checkpoint")
	errSignature = errors.New("a signature on it is wrong")
	errUnsigned  = errors.New("whose log it is has not signed it")
)

// formatTree is the text that is signed.
//
// spec: 12-audit §4
func formatTree(name string, size int64, root tlog.Hash) string {
	return fmt.Sprintf("%s\n%d\n%s\n", name, size, root)
}

// parseTree reads it in its one form.
func parseTree(text string) (c Checkpoint, err error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 {
		return c, errNote
	}
	if c.Tag, c.Origin, err = parseName(lines[0]); err != nil {
		return c, errNote
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || size > maxNumber {
		return c, errNote
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil || formatTree(lines[0], size, root) != text {
		return c, errNote
	}
	c.Size, c.Root = size, root
	return c, nil
}

// ParseCheckpoint reads a note and checks the signatures of all who have a
// peer ID for a name; the origin's is among them. Whom to trust is the caller's. With
// an error it returns what is claimed, as far as that can be read.
//
// spec: 12-audit §4
func ParseCheckpoint(msg []byte) (Checkpoint, error) {
	if len(msg) > maxNote {
		return Checkpoint{}, errNote
	}
	text, _, _ := bytes.Cut(msg, []byte("\n\n"))
	c, err := parseTree(string(text) + "\n")
	if err != nil {
		return c, err
	}
	n, err := note.Open(msg, byName{})
	var wrong *note.InvalidSignatureError
	var unsigned *note.UnverifiedNoteError
	switch {
	case errors.As(err, &wrong):
		return c, errSignature
	case errors.As(err, &unsigned):
		return c, errUnsigned
	case err != nil || n.Text != string(text)+"\n":
		return c, errNote
	}
	c.Note = slices.Clone(msg)
	origin := logName(c.Tag, c.Origin)
	for _, s := range n.Sigs {
		_, id, err := parseName(s.Name)
		switch {
		case err != nil:
			return c, errNote
		case s.Name == origin:
			c.Signers = slices.Insert(c.Signers, 0, id)
		default:
			c.Signers = append(c.Signers, id)
		}
	}
	if len(c.Signers) == 0 || c.Signers[0] != c.Origin {
		return c, errUnsigned
	}
	return c, nil
}

// sign makes the note of a tree.
func sign(s note.Signer, size int64, root tlog.Hash) ([]byte, error) {
	return note.Sign(&note.Note{Text: formatTree(s.Name(), size, root)}, s)
}

// Cosigners are those who signed besides the origin.
func (c *Checkpoint) Cosigners() []peer.ID {
	if len(c.Signers) == 0 {
		return nil
	}
	return c.Signers[1:]
}
