package node

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/hello"
)

var update = flag.Bool("update", false, "write the vectors in testdata anew")

func hexID(id [32]byte) string { return hex.EncodeToString(id[:]) }

// spec: 01-network M1, M2
func TestOpenNetworkID(t *testing.T) {
	id, err := openNetworkID("lan")
	if err != nil || id != sha256.Sum256([]byte("lan")) {
		t.Errorf("%x, %v", id, err)
	}
	same := map[string]string{
		"Ｇarden":     "Garden", // full width
		" garden ":   "garden",
		"my  lan":    "my lan",
		"cafe\u0301": "caf\u00e9",
	}
	for a, b := range same {
		ia, errA := openNetworkID(a)
		ib, errB := openNetworkID(b)
		if errA != nil || errB != nil || ia != ib {
			t.Errorf("%q and %q: %v, %v", a, b, errA, errB)
		}
	}
	if a, _ := openNetworkID("Garden"); a == mustID(t, "garden") {
		t.Error("capitals make no difference")
	}
	for _, bad := range []string{"", " ", "\t", "a\x00b", "\xff", strings.Repeat("x", 65), strings.Repeat("x", 5000)} {
		if _, err := openNetworkID(bad); !errors.Is(err, ErrNetworkName) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := openNetworkID(strings.Repeat("网", 64)); err != nil {
		t.Errorf("64 characters: %v", err)
	}
}

func mustID(t *testing.T, name string) [32]byte {
	t.Helper()
	id, err := openNetworkID(name)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// spec: 01-network M3
func TestAdHocNetworkID(t *testing.T) {
	secret := seq(3)
	id, err := adHocNetworkID("Lab", secret)
	want := sha256.Sum256(append([]byte("parley/adhoc/1lab"), secret[:]...))
	if err != nil || id != want {
		t.Errorf("%x, %v", id, err)
	}
	if other, _ := adHocNetworkID("lab", seq(4)); other == id {
		t.Error("the secret makes no difference")
	}
	if other, _ := adHocNetworkID("lab2", secret); other == id {
		t.Error("the name makes no difference")
	}
}

// spec: 01-network M1, M2, M3, M4, M5
func TestNetworkVectors(t *testing.T) {
	type vector struct {
		Name   string `json:"name"`
		Mode   string `json:"mode"`
		Secret string `json:"secret,omitempty"`
		ID     string `json:"network_id"`
		Tag    string `json:"tag"`
		Hello  string `json:"hello_key"` // of epoch 0 or 1
	}
	var vectors []vector
	for _, name := range []string{"lan", "Garden", "  my   lan ", "会议室"} {
		open, err := NetworkConfig{Name: name}.fresh()
		if err != nil {
			t.Fatal(err)
		}
		secret := seq(3)
		adhoc, err := NetworkConfig{Name: name, Secret: &secret}.fresh()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range []*NetworkFile{open, adhoc} {
			secrets := f.helloSecrets()
			if len(secrets) != 1 || secrets[0].Epoch != f.Epoch().Number {
				t.Fatalf("%v offers %v in hello", f.Network, secrets)
			}
			v := vector{Name: name, Mode: f.Mode.String(), ID: hexID(f.ID), Tag: f.Tag, Hello: hexID(secrets[0].Key)}
			if f.Mode == ModeAdHoc {
				v.Secret = hexID(secret)
			}
			vectors = append(vectors, v)
		}
	}
	checkVectors(t, "testdata/networks.json", vectors)
}

// spec: 02-hello M12
// spec: 01-network M4
func TestHelloKeys(t *testing.T) {
	open := &NetworkFile{Network: makeNetwork(mustID(t, "lan"), "lan", ModeOpen)}
	if got := open.helloSecrets(); len(got) != 1 || got[0] != hello.Open(open.ID) {
		t.Errorf("an open network offers %v", got)
	}
	closed := &NetworkFile{Network: makeNetwork(seq(0), "x", ModeSecret)}
	for i := range maxEpochs {
		closed.Epochs = append(closed.Epochs, Epoch{uint64(2 * (i + 1)), seq(byte(i))})
	}
	got := closed.helloSecrets()
	if len(got) != hello.MaxEpochs {
		t.Fatalf("%d secrets are offered", len(got))
	}
	for i, e := range closed.Epochs[maxEpochs-hello.MaxEpochs:] {
		if got[i] != (hello.Secret{Epoch: e.Number, Key: e.Secret}) {
			t.Errorf("epoch %d is not offered in its place", e.Number)
		}
	}
	if closed.Epoch().Number != 2*maxEpochs {
		t.Errorf("the newest epoch is %d", closed.Epoch().Number)
	}
}
