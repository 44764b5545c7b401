package node

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"path/filepath"
	"slices"
	"time"

	"github.com/parley-chat/parley/internal/disk"
	"github.com/parley-chat/parley/internal/fault"
	"github.com/parley-chat/parley/internal/hello"
)

// Faults of replacing a network's secret: P2050 to P2054.
var (
	// ErrNoSecret means the network is not closed by a secret of its root.
	ErrNoSecret = fault.New("P2050", fault.User, "this network has no secret that can be replaced",
		"make a closed one with: parley network new NAME --dir DIR")
	// ErrNoOverlap means there is no old secret to end.
	ErrNoOverlap = fault.New("P2051", fault.User, "no old secret is accepted any more",
		"replace the secret with: parley network rotate")
	// ErrInviteOutdated means the invite's secret is not accepted any more.
	ErrInviteOutdated = fault.New("P2052", fault.User, "the invite's secret was replaced", "ask for a new invite")
	// ErrManySecrets means as many secrets are accepted as a node can offer.
	ErrManySecrets = fault.New("P2053", fault.User, "too many old secrets are accepted",
		"end them first with: parley network rotate --finish")
	// ErrOverlap means the overlap is negative or too long.
	ErrOverlap = fault.New("P2054", fault.User, "old secrets cannot be accepted for so long", "take 0 to 366 days")
)

// MaxOverlap is how long old secrets may be accepted beside a new one.
const MaxOverlap = 366 * 24 * time.Hour

// rotationFile remembers when the overlap ends, in the directory of the root.
// It is nobody else's matter: the end is a record that the root signs, and
// others learn of it as of any record, with no clock to agree on.
const rotationFile = "rotation.json"

// rotation is the form of DIR/rotation.json.
type rotation struct {
	Epoch uint64    `json:"epoch"` // the newest; with another one the file is outdated
	Until time.Time `json:"until"`
}

// RotateNetwork replaces the secret of the closed network in dir, which holds
// its root key: a new secret is made, and a record signed that accepts the old
// ones beside it for an overlap, 0 to [MaxOverlap]. Invites carry the new one
// from now on. A node that runs on dir takes it over within seconds, and ends
// the overlap when it is over; [FinishRotation] ends it at any time.
//
// Errors: [ErrNoNetwork], [ErrNoSecret], [ErrRootKey], [ErrOverlap],
// [ErrManySecrets], [ErrDirBusy] if another does the same just now, [ErrDir].
func RotateNetwork(dir string, overlap time.Duration, now time.Time) (*NetworkFile, error) {
	if overlap < 0 || overlap > MaxOverlap {
		return nil, ErrOverlap
	}
	return signAnew(dir, func(f *NetworkFile, r *networkRecord) (*NetworkFile, error) {
		if f.Mode != ModeSecret {
			return nil, ErrNoSecret
		}
		next := Epoch{Number: max(f.Epoch().Number, r.Epochs[len(r.Epochs)-1]) + 1}
		_, _ = rand.Read(next.Secret[:])
		if overlap == 0 {
			r.Epochs = nil
		}
		if r.Epochs = append(r.Epochs, next.Number); len(r.Epochs) > hello.MaxEpochs {
			return nil, ErrManySecrets
		}
		// Before the record: without it the overlap would have no end.
		if err := (rotation{next.Number, now.Add(overlap).UTC()}).save(dir); err != nil {
			return nil, err
		}
		return f.withEpoch(next)
	})
}

// FinishRotation ends the overlap: the newest secret alone is accepted from now
// on by every node that has the record, which all have in the end. Errors:
// [ErrNoOverlap] and those of [RotateNetwork].
func FinishRotation(dir string) (*NetworkFile, error) {
	return signAnew(dir, func(f *NetworkFile, r *networkRecord) (*NetworkFile, error) {
		switch {
		case f.Mode != ModeSecret:
			return nil, ErrNoSecret
		case len(r.Epochs) < 2:
			return nil, ErrNoOverlap
		}
		r.Epochs = r.Epochs[len(r.Epochs)-1:]
		return f, nil
	})
}

// OverlapEnd returns when the old secrets of the network in dir end to be
// accepted; false if none is, or dir is not its root's.
func OverlapEnd(dir string, f *NetworkFile) (time.Time, bool) {
	data, err := readFile(filepath.Join(dir, rotationFile), 4<<10, false)
	var r rotation
	if err != nil || json.Unmarshal(data, &r) != nil {
		return time.Time{}, false
	}
	return r.Until, len(f.Epochs) > 1 && r.Epoch == f.Epoch().Number
}

func (r rotation) save(dir string) error {
	data, err := json.Marshal(r)
	if err != nil {
		return ErrDir.With(err)
	}
	if err := disk.Replace(filepath.Join(dir, rotationFile), append(data, '\n')); err != nil {
		return ErrDir.With(err)
	}
	return nil
}

// signAnew signs a changed record with the next sequence and puts the changed
// file in place; of a record that is as it was it does nothing. It is the one way in which a record changes after the
// network's founding.
func signAnew(dir string, change func(*NetworkFile, *networkRecord) (*NetworkFile, error)) (*NetworkFile, error) {
	if _, err := LoadNetwork(dir); err != nil { // before a lock is made where there is nothing
		return nil, err
	}
	lock, err := lockNetwork(dir)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	f, err := LoadNetwork(dir)
	if err != nil {
		return nil, err
	}
	if !f.Mode.hasRoot() {
		return nil, ErrNoSecret
	}
	root, err := loadRootKey(dir, f.ID)
	if err != nil {
		return nil, err
	}
	r, err := f.ownRecord()
	if err != nil {
		return nil, err
	}
	before := r.encode()
	g, err := change(f, &r)
	if err != nil || bytes.Equal(r.encode(), before) {
		return g, err
	}
	f = g
	r.Sequence++
	signed, err := signRecord(r, root)
	if err != nil {
		return nil, err
	}
	if f, _, err = f.withRecord(signed); err != nil {
		return nil, err
	}
	return f, f.save(dir)
}

// ownRecord returns the record to change, which nothing may be lost of.
func (f *NetworkFile) ownRecord() (networkRecord, error) {
	if len(f.Record) == 0 {
		return networkRecord{}, ErrRootKey.Withf("this directory has the root key but not the network's record yet").
			WithDo("start parley on it until it has met a member")
	}
	r, err := verifyRecord(f.Record, f.ID)
	if err == nil && r.Version > recordV12 {
		err = ErrNetworkRecord.Withf("the network's record was signed by a newer Parley").WithDo("install the newer one")
	}
	return r, err
}

// outdated reports whether the record says that a secret is accepted no more.
//
// spec: 01-network §5
func (f *NetworkFile) outdated(epoch uint64) bool {
	r, err := verifyRecord(f.Record, f.ID)
	return err == nil && len(r.Epochs) > 0 && epoch < r.Epochs[len(r.Epochs)-1] && !slices.Contains(r.Epochs, epoch)
}

// networkLock is locked while network.json is changed, by a command or by the
// running node.
const networkLock = "network.lock"
