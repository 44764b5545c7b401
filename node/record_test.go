package node

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/parley-chat/parley/internal/strict"
)

func testRoot() ed25519.PrivateKey {
	seed := seq(0x40)
	return ed25519.NewKeyFromSeed(seed[:])
}

func testRecord() networkRecord {
	return networkRecord{
		Version: recordV1, Network: [32]byte(testRoot().Public().(ed25519.PublicKey)), Name: "Garden",
		Mode: ModeSecret, Sequence: 3, Epochs: []uint64{1, 300}, RegistrarSet: 2, WireMin: 0x0100, WireMax: 0x0102,
	}
}

func signed(t testing.TB, r networkRecord) []byte {
	t.Helper()
	b, err := signRecord(r, testRoot())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// forge signs any body, which the root would not.
func forge(body []byte) []byte {
	b := protowire.AppendTag(nil, 1, protowire.BytesType)
	b = protowire.AppendBytes(b, body)
	b = protowire.AppendTag(b, 2, protowire.BytesType)
	return protowire.AppendBytes(b, ed25519.Sign(testRoot(), append([]byte(recordDomain), body...)))
}

func TestRecordComesBack(t *testing.T) {
	records := map[string]networkRecord{"all fields": testRecord()}
	small := testRecord()
	small.Mode, small.Epochs, small.RegistrarSet = ModeCertified, nil, 0
	records["certified"] = small
	for name, r := range records {
		got, err := verifyRecord(signed(t, r), r.Network)
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// spec: 01-network M18
func TestRecordOfAnotherHand(t *testing.T) {
	good := signed(t, testRecord())
	if _, err := verifyRecord(good, seq(9)); !errors.Is(err, ErrNetworkRecord) {
		t.Errorf("for another network: %v", err)
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		if _, err := verifyRecord(bad, testRecord().Network); !errors.Is(err, ErrNetworkRecord) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
		if _, err := verifyRecord(good[:i], testRecord().Network); err == nil {
			t.Fatalf("cut at %d and taken", i)
		}
	}
	if _, err := verifyRecord(append(bytes.Clone(good), 0), testRecord().Network); err == nil {
		t.Error("with a byte behind it and taken")
	}
	// A signature of the root over the same bytes as something else is none.
	r := testRecord()
	body := r.encode()
	b := protowire.AppendTag(nil, 1, protowire.BytesType)
	b = protowire.AppendBytes(b, body)
	b = protowire.AppendTag(b, 2, protowire.BytesType)
	b = protowire.AppendBytes(b, ed25519.Sign(testRoot(), body))
	if _, err := verifyRecord(b, r.Network); err == nil {
		t.Error("a signature without the domain is taken")
	}
}

// spec: 01-network M19, M21
func TestRecordRules(t *testing.T) {
	for name, change := range map[string]func(*networkRecord){
		"version 0":         func(r *networkRecord) { r.Version = 0 },
		"version 2.0":       func(r *networkRecord) { r.Version = 0x0200 },
		"no name":           func(r *networkRecord) { r.Name = "" },
		"a name unprepared": func(r *networkRecord) { r.Name = " Garden" },
		"a name too long":   func(r *networkRecord) { r.Name = strings.Repeat("x", 65) },
		"an open network":   func(r *networkRecord) { r.Mode = ModeOpen },
		"an unknown mode":   func(r *networkRecord) { r.Mode = 9 },
		"sequence 0":        func(r *networkRecord) { r.Sequence = 0 },
		"no epochs":         func(r *networkRecord) { r.Epochs = nil },
		"epoch 0":           func(r *networkRecord) { r.Epochs = []uint64{0} },
		"an epoch twice":    func(r *networkRecord) { r.Epochs = []uint64{1, 1} },
		"falling epochs":    func(r *networkRecord) { r.Epochs = []uint64{2, 1} },
		"17 epochs":         func(r *networkRecord) { r.Epochs = make([]uint64, 17) },
		"no wire version":   func(r *networkRecord) { r.WireMin = 0 },
		"wire versions":     func(r *networkRecord) { r.WireMin, r.WireMax = 2, 1 },
		"33 registrars":     func(r *networkRecord) { withRegistrars(r, 33) },
		"a registrar twice": func(r *networkRecord) { withRegistrars(r, 2); r.Registrars[1] = r.Registrars[0] },
		"falling registrars": func(r *networkRecord) {
			withRegistrars(r, 2)
			slices.Reverse(r.Registrars)
		},
		"registrars without a version": func(r *networkRecord) { withRegistrars(r, 1); r.RegistrarSet = 0 },
		"registrars in version 1.0":    func(r *networkRecord) { withRegistrars(r, 1); r.Version = recordV1 },
	} {
		r := testRecord()
		change(&r)
		if _, err := signRecord(r, testRoot()); err == nil {
			t.Errorf("%s: signed", name)
		}
		if _, err := verifyRecord(forge(r.encode()), r.Network); !errors.Is(err, ErrNetworkRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func withRegistrars(r *networkRecord, n int) {
	r.Version, r.RegistrarSet, r.Registrars = recordV11, 1, nil
	for i := range n {
		r.Registrars = append(r.Registrars, [32]byte{byte(i + 1)})
	}
}

// spec: 01-network M37
func TestARecordNamesItsRegistrars(t *testing.T) {
	r := testRecord()
	withRegistrars(&r, maxRegistrars)
	got, err := verifyRecord(signed(t, r), r.Network)
	if err != nil || !slices.Equal(got.Registrars, r.Registrars) {
		t.Errorf("%v, %v", got.Registrars, err)
	}
}

// spec: 01-network M20
func TestRecordsAtTheLimits(t *testing.T) {
	r := testRecord()
	r.Epochs = nil
	for i := range uint64(16) {
		r.Epochs = append(r.Epochs, i+1)
	}
	r.Version++
	// A field of a later version fills the record up.
	sized := func(size int) []byte {
		body := r.encode()
		for fill := size; ; fill-- {
			if b := forge(append(bytes.Clone(body), strict.AppendBytes(nil, 11, make([]byte, fill))...)); len(b) <= size {
				return b
			}
		}
	}
	if b := sized(4096); len(b) != 4096 {
		t.Fatalf("%d bytes", len(b))
	}
	if _, err := verifyRecord(sized(4096), r.Network); err != nil {
		t.Errorf("4,096 bytes: %v", err)
	}
	if _, err := verifyRecord(sized(4097), r.Network); !errors.Is(err, ErrNetworkRecord) {
		t.Errorf("4,097 bytes: %v", err)
	}
}

// There is one encoding of each record: these carry the root's signature and
// are refused all the same.
//
// spec: 01-network M19
func TestRecordStrictness(t *testing.T) {
	r := testRecord()
	good := r.encode()
	if _, err := verifyRecord(forge(good), r.Network); err != nil {
		t.Fatal(err)
	}
	unknown := strict.AppendUint(bytes.Clone(good), 10, 1)
	wide := bytes.Replace(good, []byte{recMode << 3, 2}, []byte{recMode << 3, 0x82, 0}, 1)
	zero := bytes.Replace(good, []byte{recRegistrarSet << 3, 2}, []byte{recRegistrarSet << 3, 0}, 1)
	twice := bytes.Replace(good, []byte{recMode << 3, 2}, []byte{recMode << 3, 2, recMode << 3, 2}, 1)
	swapped := bytes.Replace(good, []byte{recMode << 3, 2, recSequence << 3, 3}, []byte{recSequence << 3, 3, recMode << 3, 2}, 1)
	wideEpoch := bytes.Replace(good, []byte{recEpochs<<3 | 2, 3, 1, 0xac, 2}, []byte{recEpochs<<3 | 2, 4, 0x81, 0, 0xac, 2}, 1)
	for name, body := range map[string][]byte{
		"an unknown field":     unknown,
		"a wide varint":        wide,
		"an explicit zero":     zero,
		"a field twice":        twice,
		"fields out of order":  swapped,
		"a wide varint packed": wideEpoch,
		"a big mode":           bytes.Replace(good, []byte{recMode << 3, 2}, []byte{recMode << 3, 0x82, 2}, 1),
		"nothing":              nil,
	} {
		if bytes.Equal(body, good) {
			t.Fatalf("%s: the test changes nothing", name)
		}
		if _, err := verifyRecord(forge(body), r.Network); !errors.Is(err, ErrNetworkRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r.Name = strings.Repeat("网", 64)
	r.Epochs = nil
	for i := range uint64(maxEpochs) {
		r.Epochs = append(r.Epochs, 1<<62+i)
	}
	if b := signed(t, r); len(b) > maxRecord {
		t.Errorf("the largest record has %d bytes", len(b))
	}
	if _, err := verifyRecord(make([]byte, maxRecord+1), r.Network); err == nil {
		t.Error("an oversized record is taken")
	}
}

// A higher minor version may say more; what is known of it counts.
//
// spec: 01-network M22
func TestRecordOfANewerMinorVersion(t *testing.T) {
	r := testRecord()
	r.Version = recordV1 + 1
	body := strict.AppendBytes(strict.AppendUint(r.encode(), 11, 7), 15, []byte("new"))
	got, err := verifyRecord(forge(body), r.Network)
	if err != nil || !reflect.DeepEqual(got, r) {
		t.Errorf("%+v, %v", got, err)
	}
	for name, extra := range map[string][]byte{
		"falling":    strict.AppendUint(strict.AppendUint(r.encode(), 12, 7), 11, 7),
		"known":      strict.AppendUint(r.encode(), recMode, 7),
		"fixed size": protowire.AppendFixed32(protowire.AppendTag(r.encode(), 11, protowire.Fixed32Type), 7),
		"cut":        append(r.encode(), 11<<3),
	} {
		if _, err := verifyRecord(forge(extra), r.Network); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// spec: 01-network M19
func TestRecordVector(t *testing.T) {
	r := testRecord()
	seed := testRoot().Seed()
	checkVectors(t, "testdata/record.json", map[string]any{
		"root_seed": hexID([32]byte(seed)), "network_id": hexID(r.Network), "version": r.Version, "name": r.Name,
		"mode": r.Mode.String(), "sequence": r.Sequence, "epochs": r.Epochs, "registrar_set": r.RegistrarSet,
		"wire_min": r.WireMin, "wire_max": r.WireMax, "signed_record_base64": signed(t, r),
	})
}

// spec: 01-network M19
func FuzzDecodeRecord(f *testing.F) {
	r := testRecord()
	f.Add(r.encode())
	r.Mode, r.Epochs, r.RegistrarSet = ModeCertified, nil, 0
	f.Add(r.encode())
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := decodeRecord(body)
		if err != nil {
			return
		}
		again := r.encode()
		if r.Version == recordV1 && !bytes.Equal(again, body) {
			t.Fatalf("%x came back as %x", body, again)
		}
		if !bytes.HasPrefix(body, again) {
			t.Fatalf("%x does not begin with %x", body, again)
		}
	})
}

// spec: 01-network M18
func FuzzVerifyRecord(f *testing.F) {
	r := testRecord()
	f.Add(signed(f, r))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := verifyRecord(b, r.Network); err == nil && !bytes.Equal(b, signed(t, r)) {
			t.Fatalf("a forged record was taken: %x", b)
		}
	})
}
