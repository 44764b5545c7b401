package hello

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

func TestMembersAdmitEachOther(t *testing.T) {
	a, b := pair(secret1)
	b.Role = RoleRegistrar
	a.Features, b.Features = 0b0110, 0b1100
	o := play(t, a, b, nil)
	want := Admitted{Version: 1, Features: 0b0100, Role: RoleRegistrar, Epoch: 1, Skew: 5 * time.Millisecond}
	if !o.initDone || o.initiator != want {
		t.Errorf("initiator concluded %+v, %v", o.initiator, o.initErr)
	}
	want = Admitted{Version: 1, Features: 0b0100, Role: RoleNode, Epoch: 1, Skew: -20 * time.Millisecond}
	if !o.respDone || o.responder != want {
		t.Errorf("responder concluded %+v, %v", o.responder, o.respErr)
	}
	for n, m := range o.messages {
		if len(m) > MaxMessage/2 {
			t.Errorf("message %d has %d bytes", n+1, len(m))
		}
	}
}

// spec: 02-hello M13
func TestNewestCommonEpochIsProven(t *testing.T) {
	a, b := pair()
	a.Secrets, b.Secrets = []Secret{secret1, secret3, secret2}, []Secret{secret2, secret1}
	for range 2 {
		o := play(t, a, b, nil)
		if !o.initDone || o.initiator.Epoch != 2 || o.responder.Epoch != 2 {
			t.Errorf("epochs %d and %d, %v, %v", o.initiator.Epoch, o.responder.Epoch, o.initErr, o.respErr)
		}
		a.Secrets, b.Secrets = b.Secrets, a.Secrets
	}
}

// spec: 02-hello M11
func TestHighestCommonVersionIsUsed(t *testing.T) {
	for _, c := range []struct{ aMin, aMax, bMin, bMax, want uint32 }{
		{1, 1, 1, 1, 1}, {1, 3, 2, 5, 3}, {2, 5, 1, 3, 3}, {4, 4, 1, 9, 4}, {1, 2, 3, 4, 0}, {3, 4, 1, 2, 0},
	} {
		a, b := pair(secret1)
		a.Min, a.Max, b.Min, b.Max = c.aMin, c.aMax, c.bMin, c.bMax
		o := play(t, a, b, nil)
		if c.want == 0 {
			if !errors.Is(o.respErr, ErrVersion) {
				t.Errorf("%+v: %v", c, o.respErr)
			}
		} else if !o.initDone || o.initiator.Version != c.want || o.responder.Version != c.want {
			t.Errorf("%+v: %d and %d, %v, %v", c, o.initiator.Version, o.responder.Version, o.initErr, o.respErr)
		}
	}
}

func TestOpenNetworkProvesTheNameAlone(t *testing.T) {
	a, b := pair(Open(testNetwork))
	if o := play(t, a, b, nil); !o.initDone || o.initiator.Epoch != 0 {
		t.Errorf("%+v", o)
	}
}

// A closed node never talks to one that proves only the name, in either role.
//
// spec: 02-hello M14
func TestClosedNeverFallsBackToOpen(t *testing.T) {
	a, b := pair(secret1)
	a.Secrets = []Secret{Open(testNetwork)}
	if o := play(t, a, b, nil); !errors.Is(o.respErr, ErrEpoch) {
		t.Errorf("closed responder: %v", o.respErr)
	}
	a.Secrets, b.Secrets = b.Secrets, a.Secrets
	if o := play(t, a, b, nil); !errors.Is(o.respErr, ErrEpoch) {
		t.Errorf("open responder: %v", o.respErr)
	}
}

// Unknown fields come from later versions: they are ignored, and covered by the proofs.
//
// spec: 02-hello M6
func TestUnknownFieldsAreIgnored(t *testing.T) {
	extra := []field{{40, []byte("later")}, {63, uint64(7)}, {64, uint64(7)}, {1000, []byte{1}}}
	_, b := pair(secret1)
	r, err := Respond(b)
	if err != nil {
		t.Fatal(err)
	}
	m := append(first(append(helloBody(), extra...)), enc(extra...)...)
	if _, err := r.Challenge(m, start); err != nil {
		t.Fatal(err)
	}
	a, _ := pair(secret1)
	i, _, err := Initiate(a, start)
	if err != nil {
		t.Fatal(err)
	}
	m = append(second(append(challengeBody(), extra...)), enc(extra...)...)
	if _, err := i.Prove(m, start); err != nil {
		t.Fatal(err)
	}
}

// spec: 02-hello M14
func TestBadConfigurationIsToldAtOnce(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no secret":           func(c *Config) { c.Secrets = nil },
		"nine secrets":        func(c *Config) { c.Secrets = make([]Secret, MaxEpochs+1) },
		"an epoch twice":      func(c *Config) { c.Secrets = []Secret{secret1, secret2, secret1} },
		"secret without name": func(c *Config) { c.Secrets = []Secret{{Key: [32]byte{1}}} },
		"open and closed":     func(c *Config) { c.Secrets = []Secret{secret1, Open(testNetwork)} },
		"open elsewhere":      func(c *Config) { c.Secrets = []Secret{Open([32]byte{9})} },
		"no nonce":            func(c *Config) { c.Nonce = [NonceSize]byte{} },
		"no peer":             func(c *Config) { c.Remote = nil },
		"long peer":           func(c *Config) { c.Local = make([]byte, 129) },
		"versions":            func(c *Config) { c.Min, c.Max = 2, 1 },
		"no lowest version":   func(c *Config) { c.Min, c.Max = 0, 1 },
	} {
		a, b := pair(secret1)
		change(&a)
		change(&b)
		if _, _, err := Initiate(a, start); err == nil {
			t.Errorf("%s: initiator", name)
		}
		if _, err := Respond(b); err == nil {
			t.Errorf("%s: responder", name)
		}
	}
}

func TestConfigurationIsNotChanged(t *testing.T) {
	a, b := pair(secret1, secret3, secret2)
	play(t, a, b, nil)
	if a.Secrets[0] != secret1 || a.Secrets[1] != secret3 {
		t.Error("the caller's secrets were sorted")
	}
}

func TestReasonsHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range reasons {
		if Reason(r.err) != r.name || seen[r.name] {
			t.Errorf("%v: %q", r.err, Reason(r.err))
		}
		seen[r.name] = true
	}
	if Reason(nil) != "" || Reason(errors.New("stream reset")) != "half_open" {
		t.Error("nil or a foreign error")
	}
}

// A clock far outside its range is brought to the nearest end, on both sides.
func TestClocksOutsideTheirRange(t *testing.T) {
	a, b := pair(secret1)
	for _, now := range []time.Time{time.Unix(-1, 0), time.Unix(1<<40, 0)} {
		_, m, err := Initiate(a, now)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Respond(b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Challenge(m, now); err != nil {
			t.Error(err)
		}
	}
}

// A clock centuries ahead does not wrap round into the past.
func TestSkewHasASign(t *testing.T) {
	for bit := range 48 {
		at := uint64(start.UnixMilli()) | 1<<bit
		if skew(at, start) < 0 || skew(1, time.UnixMilli(int64(at))) > 0 {
			t.Errorf("bit %d", bit)
		}
	}
}

// The messages are what docs/protocol says, byte for byte.
//
// spec: 02-hello M17
func TestMessagesAreAsDescribed(t *testing.T) {
	a, b := pair(secret1)
	o := play(t, a, b, nil)
	one, two := enc(helloBody()...), enc(challengeBody()...)
	parts := func(label string, bodies ...[]byte) []byte {
		return slowProof(secret1.Key, append([][]byte{[]byte(label), testNetwork[:], alice, bob}, bodies...)...)
	}
	want := [][]byte{
		first(helloBody()),
		second(challengeBody()),
		enc(field{1, uint64(3)}, field{3, parts("parley/hello/1/proof", one, two, nil)}),
		enc(field{1, uint64(4)}, field{3, parts("parley/hello/1/ack", one, two, nil, nil)}),
	}
	for n := range want {
		if !bytes.Equal(o.messages[n], want[n]) {
			t.Errorf("message %d: %x, want %x", n+1, o.messages[n], want[n])
		}
	}
}
