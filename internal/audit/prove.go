package audit

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/mod/sumdb/tlog"
)

// MaxProof bounds the JSON of a proof, in bytes: a record, a note and 63 hashes.
const MaxProof = 32 << 10

// Proof shows to whoever has it, and knows the registrar's peer ID, that a
// record is in the log.
type Proof struct {
	Version    int         `json:"parley_audit_proof"` // 1
	Index      int64       `json:"index"`
	Record     string      `json:"record"`     // its line
	Size       int64       `json:"size"`       // of the tree
	Hashes     []tlog.Hash `json:"hashes"`     // from the leaf upwards, base64
	Checkpoint string      `json:"checkpoint"` // the note that signs the tree
}

// Prove makes the proof of a record. It takes the newest checkpoint that others
// have cosigned if that covers it, and else the newest. ErrNoIndex, ErrUnsaid,
// ErrNoLog; ErrChanged and the like for what is met on the way.
func Prove(dir string, index int64) (Proof, error) {
	line, err := readLine(dir, index)
	if err != nil {
		return Proof{}, err
	}
	c, err := covering(dir, index)
	if err != nil {
		return Proof{}, err
	}
	h, err := openHashes(dir, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return Proof{}, ErrHashes.With(err)
	}
	if err != nil {
		return Proof{}, ErrFailed.With(err)
	}
	defer h.f.Close()
	hashes, err := tlog.ProveRecord(c.Size, index, h)
	if err != nil {
		return Proof{}, ErrHashes.Withf("the hashes of the audit log are not all there").With(err)
	}
	if tlog.CheckRecord(hashes, c.Size, c.Root, index, tlog.RecordHash(line)) != nil {
		return Proof{}, ErrChanged.Withf("record %d of the audit log, or a hash, is not what was signed", index).
			WithDo("parley audit verify says which; " + ErrChanged.Do)
	}
	return Proof{1, index, string(line), c.Size, hashes, string(c.Note)}, nil
}

// readLine finds the line of a record.
func readLine(dir string, index int64) ([]byte, error) {
	if index < 0 || index > maxNumber {
		return nil, ErrNoIndex
	}
	r, err := NewReader(dir, index)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	line, err := r.Line()
	if errors.Is(err, io.EOF) {
		return nil, ErrNoIndex.Withf("the audit log has no record %d", index)
	}
	if err != nil {
		return nil, err
	}
	if _, err := ParseAt(line, index); err != nil {
		return nil, err
	}
	return slices.Clone(line), nil
}

// covering finds the checkpoint to prove a record with.
func covering(dir string, index int64) (Checkpoint, error) {
	for _, name := range []string{cosignedName, checkpointsName} {
		c, err := lastNote(dir, name)
		if err != nil {
			return c, err
		}
		if c.Size > index {
			return c, nil
		}
	}
	return Checkpoint{}, ErrUnsaid.Withf("no checkpoint covers record %d yet", index)
}

// ParseProof reads the JSON of a proof. ErrProof.
func ParseProof(data []byte) (p Proof, err error) {
	if len(data) > MaxProof {
		return p, ErrProof.Withf("the proof is too long")
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return p, ErrProof.Withf("that is not a proof").With(err)
	}
	if p.Version != 1 {
		return p, ErrProof.Withf("the proof has version %d, and 1 is known", p.Version)
	}
	return p, nil
}

// CheckProof checks all of a proof: the record's form and fingerprint, the path
// to the root, and the signatures under it. The owner of the log has to be among
// the trusted; the checkpoint says who else has signed. ErrProof, ErrUntrusted.
//
// spec: 12-audit §5
func CheckProof(p Proof, trusted []peer.ID) (Record, Checkpoint, error) {
	r, err := ParseRecord([]byte(p.Record))
	if err != nil {
		return r, Checkpoint{}, ErrProof.Withf("the proof does not prove its record: %v", err)
	}
	if r.Index != p.Index {
		return r, Checkpoint{}, ErrProof.Withf("the proof is of record %d and holds record %d", p.Index, r.Index)
	}
	c, err := ParseCheckpoint([]byte(p.Checkpoint))
	if err != nil {
		return r, c, ErrProof.Withf("the proof's checkpoint is not what was signed: %v", err)
	}
	if !slices.Contains(trusted, c.Origin) {
		return r, c, ErrUntrusted.Withf("the proof is signed by %s, whom you did not name", c.Origin)
	}
	if c.Size != p.Size {
		return r, c, ErrProof.Withf("the proof is of a tree of %s, its checkpoint of %d", count(p.Size), c.Size)
	}
	if err := tlog.CheckRecord(p.Hashes, c.Size, c.Root, p.Index, tlog.RecordHash([]byte(p.Record))); err != nil {
		return r, c, ErrProof.Withf("the proof's hashes do not lead from record %d to what was signed", p.Index)
	}
	return r, c, nil
}
