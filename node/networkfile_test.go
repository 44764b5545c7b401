package node

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestCreateNetwork(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	f, err := CreateNetwork(dir, "Garden", ModeSecret)
	if err != nil {
		t.Fatal(err)
	}
	if f.Mode != ModeSecret || f.Name != "Garden" || f.Epoch().Number != 1 || f.Epoch().Secret == [32]byte{} || len(f.Tag) != 8 {
		t.Errorf("made %+v", f.Network)
	}
	r, err := verifyRecord(f.Record, f.ID)
	if err != nil || r.Name != "Garden" || r.Sequence != 1 || !reflect.DeepEqual(r.Epochs, []uint64{1}) {
		t.Errorf("record %+v, %v", r, err)
	}
	got, err := LoadNetwork(dir)
	if err != nil || !reflect.DeepEqual(got, f) {
		t.Errorf("loaded %+v, %v", got, err)
	}
	if !HasRootKey(dir, f.ID) || HasRootKey(dir, seq(1)) {
		t.Error("the root key is not that of the network")
	}
	for _, name := range []string{rootKeyFile, networkFile} {
		if mode(t, filepath.Join(dir, name)) != 0o600 {
			t.Errorf("%s is open to others", name)
		}
	}
	if _, err := CreateNetwork(dir, "Other", ModeSecret); !errors.Is(err, ErrOtherNetwork) || !strings.Contains(err.Error(), "fresh directory") {
		t.Errorf("a second network: %v", err)
	}
	if again, _ := LoadNetwork(dir); !reflect.DeepEqual(again, f) {
		t.Error("the second attempt changed the first network")
	}
	if _, err := CreateNetwork(t.TempDir(), " ", ModeSecret); !errors.Is(err, ErrNetworkName) {
		t.Errorf("a bad name: %v", err)
	}
}

func TestDamagedNetworkFileIsToldAndKept(t *testing.T) {
	dir := t.TempDir()
	if _, err := LoadNetwork(dir); !errors.Is(err, ErrNoNetwork) {
		t.Errorf("absent: %v", err)
	}
	if _, err := CreateNetwork(dir, "Garden", ModeSecret); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, networkFile)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := []string{"", "{}", "null", string(good[:len(good)-1]), string(good) + "\n", strings.Replace(string(good), `"version": 1`, `"version": 2`, 1), strings.Replace(string(good), "{", `{"x":1,`, 1)}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		damaged = append(damaged, string(bad))
	}
	for _, bad := range damaged {
		write(t, path, bad, 0o600)
		if _, err := openNetwork(dir, NetworkConfig{}, orSilent(nil)); !errors.Is(err, ErrNetworkCorrupt) {
			t.Fatalf("damage is told as %v:\n%s", err, bad)
		}
		if data, _ := os.ReadFile(path); string(data) != bad {
			t.Fatal("a damaged file was changed")
		}
	}
	write(t, path, string(good), 0o640)
	if _, err := LoadNetwork(dir); !errors.Is(err, ErrPermissions) {
		t.Errorf("a readable secret: %v", err)
	}
}

// Killed between the two files, network new has left a root key alone.
func TestAFoundingThatWasCutShortIsTakenUpAgain(t *testing.T) {
	dir := t.TempDir()
	first, err := CreateNetwork(dir, "Garden", ModeSecret)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, networkFile)); err != nil {
		t.Fatal(err)
	}
	again, err := CreateNetwork(dir, "Garden", ModeSecret)
	if err != nil || again.ID != first.ID || !HasRootKey(dir, again.ID) {
		t.Errorf("founded again: %v, %v", again, err)
	}
}

func TestRootKeyFaults(t *testing.T) {
	dir := t.TempDir()
	f, err := CreateNetwork(dir, "Garden", ModeSecret)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, rootKeyFile)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		write(t, path, string(bad), 0o600)
		if _, err := loadRootKey(dir, f.ID); !errors.Is(err, ErrRootKey) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
	write(t, path, string(good), 0o644)
	if _, err := loadRootKey(dir, f.ID); !errors.Is(err, ErrPermissions) {
		t.Errorf("readable: %v", err)
	}
	write(t, path, string(good), 0o600)
	if _, err := loadRootKey(dir, f.ID); err != nil {
		t.Error(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := loadRootKey(dir, f.ID); !errors.Is(err, ErrRootKey) {
		t.Errorf("absent: %v", err)
	}
}

// A directory is one network; each line is a start on the directory that the
// first one made.
func TestOneDirectoryOneNetwork(t *testing.T) {
	secret, other := seq(1), seq(2)
	made, err := CreateNetwork(t.TempDir(), "Garden", ModeSecret)
	if err != nil {
		t.Fatal(err)
	}
	invite, foreign := made.Invite(nil), Invite{Network: seq(8), Mode: ModeSecret, Epoch: 1, Secret: seq(9)}
	wrong := invite
	wrong.Secret = seq(9)
	for _, c := range []struct {
		first, then NetworkConfig
		want        error
	}{
		{NetworkConfig{}, NetworkConfig{}, nil},
		{NetworkConfig{}, NetworkConfig{Name: "lan"}, nil},
		{NetworkConfig{}, NetworkConfig{Name: "LAN"}, ErrOtherNetwork},
		{NetworkConfig{}, NetworkConfig{Name: "garden"}, ErrOtherNetwork},
		{NetworkConfig{}, NetworkConfig{Secret: &secret}, ErrOtherNetwork},
		{NetworkConfig{}, NetworkConfig{Invite: &invite}, ErrOtherNetwork},
		{NetworkConfig{Name: "garden"}, NetworkConfig{}, nil},
		{NetworkConfig{Name: "garden"}, NetworkConfig{Name: "lan"}, ErrOtherNetwork},
		{NetworkConfig{Name: "lab", Secret: &secret}, NetworkConfig{}, nil},
		{NetworkConfig{Name: "lab", Secret: &secret}, NetworkConfig{Name: "Lab"}, nil},
		{NetworkConfig{Name: "lab", Secret: &secret}, NetworkConfig{Secret: &secret}, nil},
		{NetworkConfig{Name: "lab", Secret: &secret}, NetworkConfig{Name: "LAB", Secret: &secret}, nil},
		{NetworkConfig{Name: "lab", Secret: &secret}, NetworkConfig{Name: "lab", Secret: &other}, ErrOtherNetwork},
		{NetworkConfig{Name: "lab", Secret: &secret}, NetworkConfig{Name: "lan"}, ErrOtherNetwork},
		{NetworkConfig{Name: "lab", Secret: &secret}, NetworkConfig{Name: "x", Secret: &secret}, ErrOtherNetwork},
		{NetworkConfig{Secret: &secret}, NetworkConfig{Name: "lan", Secret: &secret}, nil},
		{NetworkConfig{Invite: &invite}, NetworkConfig{}, nil},
		{NetworkConfig{Invite: &invite}, NetworkConfig{Invite: &invite}, nil},
		{NetworkConfig{Invite: &invite}, NetworkConfig{Invite: &foreign}, ErrOtherNetwork},
		{NetworkConfig{Invite: &invite}, NetworkConfig{Invite: &wrong}, ErrInvite},
		{NetworkConfig{Invite: &invite}, NetworkConfig{Name: "lan"}, ErrOtherNetwork},
		{NetworkConfig{Invite: &invite}, NetworkConfig{Secret: &secret}, ErrOtherNetwork},
	} {
		dir := t.TempDir()
		first, err := openNetwork(dir, c.first, orSilent(nil))
		if err != nil {
			t.Errorf("%+v: %v", c.first, err)
			continue
		}
		then, err := openNetwork(dir, c.then, orSilent(nil))
		if !errors.Is(err, c.want) {
			t.Errorf("%+v, then %+v: %v", c.first, c.then, err)
		}
		if err == nil && then.ID != first.ID {
			t.Errorf("%+v, then %+v: another network", c.first, c.then)
		}
		if kept, err := LoadNetwork(dir); err != nil || !reflect.DeepEqual(kept, first) {
			t.Errorf("%+v, then %+v: the file became %+v, %v", c.first, c.then, kept, err)
		}
	}
}

// A member learns a newer secret by an invite, the name by the record, and
// which secrets no longer count by a newer record.
//
// spec: 01-network M16, M17, M36
func TestJoinerLearns(t *testing.T) {
	dir := t.TempDir()
	r := testRecord()
	join := Invite{Network: r.Network, Mode: ModeSecret, Epoch: 1, Secret: seq(1)}
	f, err := openNetwork(dir, NetworkConfig{Invite: &join}, orSilent(nil))
	if err != nil || f.Name != "" || f.Epoch().Number != 1 {
		t.Fatalf("%+v, %v", f, err)
	}
	named, changed, err := f.withRecord(signed(t, r))
	if err != nil || !changed || named.Name != "Garden" || f.Name != "" {
		t.Fatalf("%+v, %v, %v", named, changed, err)
	}
	if err := named.save(dir); err != nil {
		t.Fatal(err)
	}
	join.Epoch, join.Secret = 300, seq(2)
	two, err := openNetwork(dir, NetworkConfig{Invite: &join}, orSilent(nil))
	if err != nil || two.Name != "Garden" || two.Epoch() != (Epoch{300, seq(2)}) || len(two.Epochs) != 2 {
		t.Fatalf("%+v, %v", two, err)
	}
	if _, changed, err := two.withRecord(signed(t, r)); changed || err != nil {
		t.Errorf("the same record again: %v, %v", changed, err)
	}
	older := r
	older.Sequence, older.Name = 2, "Older"
	if same, changed, err := two.withRecord(signed(t, older)); changed || err != nil || same.Name != "Garden" {
		t.Errorf("an older record: %v, %v", changed, err)
	}
	r.Sequence, r.Epochs = 4, []uint64{300}
	three, changed, err := two.withRecord(signed(t, r))
	if err != nil || !changed || len(three.Epochs) != 1 || three.Epoch().Number != 300 {
		t.Errorf("a record that ends an epoch: %+v, %v, %v", three, changed, err)
	}
	r.Sequence, r.Epochs = 5, []uint64{301}
	if four, _, err := three.withRecord(signed(t, r)); err != nil || len(four.Epochs) != 1 {
		t.Errorf("an outdated member forgets its last secret: %+v, %v", four, err)
	}
	if got, err := LoadNetwork(dir); err != nil || !reflect.DeepEqual(got, two) {
		t.Errorf("the file is %+v, %v", got, err)
	}
}

func TestNetworksWithoutARootTakeNoRecord(t *testing.T) {
	f := &NetworkFile{Network: makeNetwork(testRecord().Network, "x", ModeAdHoc), Epochs: []Epoch{{1, seq(1)}}}
	if _, changed, err := f.withRecord(signed(t, testRecord())); changed || !errors.Is(err, ErrNetworkRecord) {
		t.Errorf("%v, %v", changed, err)
	}
}

func TestEpochsAreFew(t *testing.T) {
	f := &NetworkFile{Network: makeNetwork(seq(0), "x", ModeSecret), Epochs: []Epoch{{1, seq(1)}}}
	for i := uint64(2); i < 40; i++ {
		var err error
		if f, err = f.withEpoch(Epoch{i, seq(byte(i))}); err != nil {
			t.Fatal(err)
		}
	}
	if len(f.Epochs) != maxEpochs || f.Epoch().Number != 39 || f.check() != nil {
		t.Errorf("%d epochs, newest %d, %v", len(f.Epochs), f.Epoch().Number, f.check())
	}
}

func TestInviteOfANetworkFile(t *testing.T) {
	f, err := CreateNetwork(t.TempDir(), "Garden", ModeSecret)
	if err != nil {
		t.Fatal(err)
	}
	addr := testAddr(t, "/ip4/10.0.0.1/tcp/7330")
	v := f.Invite(addr)
	got, err := ParseInvite(v.String())
	if err != nil || got.Network != f.ID || got.Secret != f.Epoch().Secret || got.Addr == nil || got.Addr.ID != addr.ID {
		t.Errorf("%+v, %v", got, err)
	}
	addr.Addrs = append(addr.Addrs[:0:0], testAddr(t, "/ip4/10.0.0.1/tcp/7330").Addrs[0].Encapsulate(testAddr(t, "/dns4/"+strings.Repeat("x", 200)+"/tcp/1").Addrs[0]))
	if v := f.Invite(addr); v.Addr != nil {
		t.Error("an address that does not fit is kept")
	}
}

func FuzzParseNetworkFile(f *testing.F) {
	for _, ask := range []NetworkConfig{{}, {Name: "x", Secret: &[32]byte{}}, {Invite: &Invite{Mode: ModeSecret, Epoch: 1}}} {
		file, err := ask.fresh()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file.encode())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := parseNetworkFile(data)
		if err == nil && !bytes.Equal(file.encode(), data) {
			t.Fatalf("%s came back as %s", data, file.encode())
		}
	})
}
