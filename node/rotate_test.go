package node

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

var rotated = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// founded makes a closed network in a fresh directory.
func founded(t *testing.T) (dir string, f *NetworkFile) {
	t.Helper()
	dir = t.TempDir()
	f, err := CreateNetwork(dir, "Garden", ModeSecret)
	if err != nil {
		t.Fatal(err)
	}
	return dir, f
}

func rotate(t *testing.T, dir string, overlap time.Duration) *NetworkFile {
	t.Helper()
	f, err := RotateNetwork(dir, overlap, rotated)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// epochsOf returns the epochs of the record, after checking that it is signed.
func epochsOf(t *testing.T, f *NetworkFile) []uint64 {
	t.Helper()
	r, err := verifyRecord(f.Record, f.ID)
	if err != nil {
		t.Fatal(err)
	}
	return r.Epochs
}

func TestRotateReplacesTheSecret(t *testing.T) {
	dir, before := founded(t)
	f := rotate(t, dir, 7*24*time.Hour)
	if f.Network != before.Network || f.sequence() != before.sequence()+1 || !reflect.DeepEqual(epochsOf(t, f), []uint64{1, 2}) {
		t.Errorf("%v, sequence %d, epochs %v", f.Network, f.sequence(), epochsOf(t, f))
	}
	if len(f.Epochs) != 2 || f.Epochs[0] != before.Epoch() || f.Epoch().Number != 2 || f.Epoch().Secret == before.Epoch().Secret {
		t.Error("the file does not hold the old secret and a fresh one")
	}
	if v := f.Invite(nil); v.Epoch != 2 || v.Secret != f.Epoch().Secret {
		t.Error("invites do not carry the new secret")
	}
	if until, ok := OverlapEnd(dir, f); !ok || !until.Equal(rotated.Add(7*24*time.Hour)) {
		t.Errorf("the overlap ends at %v, %t", until, ok)
	}
	if stored, err := LoadNetwork(dir); err != nil || !reflect.DeepEqual(stored, f) {
		t.Errorf("stored: %v, %v", stored, err)
	}

	done, err := FinishRotation(dir)
	if err != nil || done.sequence() != 3 || !reflect.DeepEqual(done.Epochs, []Epoch{f.Epoch()}) || !reflect.DeepEqual(epochsOf(t, done), []uint64{2}) {
		t.Errorf("finished: %+v, %v", done, err)
	}
	if _, ok := OverlapEnd(dir, done); ok {
		t.Error("an overlap after its end")
	}
	if _, err := FinishRotation(dir); !errors.Is(err, ErrNoOverlap) {
		t.Errorf("finished twice: %v", err)
	}
}

func TestRotateWithoutOverlap(t *testing.T) {
	dir, _ := founded(t)
	f := rotate(t, dir, 0)
	if len(f.Epochs) != 1 || f.Epoch().Number != 2 || !reflect.DeepEqual(epochsOf(t, f), []uint64{2}) {
		t.Errorf("%d secrets, record %v", len(f.Epochs), epochsOf(t, f))
	}
	if _, ok := OverlapEnd(dir, f); ok {
		t.Error("there is an overlap")
	}
}

// Every accepted secret can be offered in hello; a ninth has no room.
func TestRotateManyTimes(t *testing.T) {
	dir, _ := founded(t)
	for range 7 {
		rotate(t, dir, time.Hour)
	}
	f, err := LoadNetwork(dir)
	if err != nil || len(f.Epochs) != 8 || len(f.helloSecrets()) != 8 {
		t.Fatalf("%v, %v", f, err)
	}
	if _, err := RotateNetwork(dir, time.Hour, rotated); !errors.Is(err, ErrManySecrets) {
		t.Errorf("a ninth: %v", err)
	}
	if again, err := LoadNetwork(dir); err != nil || !reflect.DeepEqual(again, f) {
		t.Errorf("a refusal changed something: %v, %v", again, err)
	}
	if f := rotate(t, dir, 0); f.Epoch().Number != 9 || len(f.Epochs) != 1 {
		t.Errorf("without overlap: %v", f.Epochs)
	}
}

func TestRotateIsRefused(t *testing.T) {
	dir, f := founded(t)
	member, open, noRoot := t.TempDir(), t.TempDir(), t.TempDir()
	invite, secret := f.Invite(nil), seq(3)
	for at, ask := range map[string]NetworkConfig{member: {Invite: &invite}, open: {}, noRoot: {Name: "lab", Secret: &secret}} {
		if _, err := openNetwork(at, ask, orSilent(nil)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		dir     string
		overlap time.Duration
		want    error
	}{
		{member, 0, ErrRootKey},
		{open, 0, ErrNoSecret},
		{noRoot, 0, ErrNoSecret},
		{t.TempDir(), 0, ErrNoNetwork},
		{dir, -1, ErrOverlap},
		{dir, MaxOverlap + 1, ErrOverlap},
	} {
		if _, err := RotateNetwork(c.dir, c.overlap, rotated); !errors.Is(err, c.want) {
			t.Errorf("%v, want %v", err, c.want)
		}
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 2 {
		t.Errorf("refusals left %v, %v", names, err)
	}

	// The root's key in a directory that has not met a member yet.
	key, err := os.ReadFile(filepath.Join(dir, rootKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(member, rootKeyFile), string(key), 0o600)
	if _, err := RotateNetwork(member, 0, rotated); !errors.Is(err, ErrRootKey) {
		t.Errorf("without the record: %v", err)
	}

	lock, err := lockIn(dir, networkLock)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if _, err := RotateNetwork(dir, 0, rotated); !errors.Is(err, ErrDirBusy) {
		t.Errorf("while another does: %v", err)
	}
}

// Killed between the two files, a rotation has done nothing.
func TestRotationThatWasCutShort(t *testing.T) {
	dir, f := founded(t)
	if err := (rotation{2, rotated}).save(dir); err != nil {
		t.Fatal(err)
	}
	if _, ok := OverlapEnd(dir, f); ok {
		t.Error("an overlap without a second secret")
	}
	rotate(t, dir, time.Hour)
	// Nor does what was left of an earlier one end a later one.
	f = rotate(t, dir, time.Hour)
	if err := (rotation{2, rotated}).save(dir); err != nil {
		t.Fatal(err)
	}
	if _, ok := OverlapEnd(dir, f); ok {
		t.Error("the end of an earlier overlap counts")
	}
}

// What a record holds beside epochs and sequence stays.
func TestRotateKeepsTheRest(t *testing.T) {
	dir, f := founded(t)
	root, err := loadRootKey(dir, f.ID)
	if err != nil {
		t.Fatal(err)
	}
	r, err := verifyRecord(f.Record, f.ID)
	if err != nil {
		t.Fatal(err)
	}
	r.Sequence, r.RegistrarSet, r.WireMax = 41, 7, 0x0102
	if f.Record, err = signRecord(r, root); err != nil {
		t.Fatal(err)
	}
	if err := f.save(dir); err != nil {
		t.Fatal(err)
	}
	got, err := verifyRecord(rotate(t, dir, time.Hour).Record, f.ID)
	r.Sequence, r.Epochs = 42, []uint64{1, 2}
	if err != nil || !reflect.DeepEqual(got, r) {
		t.Errorf("%+v, want %+v", got, r)
	}
}

// An invite from before the end of the overlap brings its secret back to nobody
// who knows better.
//
// spec: 01-network M17
func TestAnOutdatedInviteIsRefused(t *testing.T) {
	dir, f := founded(t)
	old := f.Invite(nil)
	rotate(t, dir, time.Hour)
	if _, err := openNetwork(dir, NetworkConfig{Invite: &old}, orSilent(nil)); err != nil {
		t.Errorf("during the overlap: %v", err)
	}
	done, err := FinishRotation(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openNetwork(dir, NetworkConfig{Invite: &old}, orSilent(nil)); !errors.Is(err, ErrInviteOutdated) {
		t.Errorf("after it: %v", err)
	}
	if again, err := LoadNetwork(dir); err != nil || !reflect.DeepEqual(again, done) {
		t.Errorf("the file became %+v, %v", again, err)
	}
}
