package ticket

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
	"time"
)

var (
	issuerKey  = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))
	issuer     = [32]byte(issuerKey.Public().(ed25519.PublicKey))
	someone    = [32]byte{2}
	thisOne    = [32]byte{3}
	registered = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
)

func good() Ticket {
	return Ticket{
		Network: thisOne, Peer: someone, Issuer: issuer, Role: 1, Zone: "ward 3",
		Short: ShortOf("ward 3", [4]byte{9, 8, 7, 6}), NotBefore: registered.Add(-Backdate), NotAfter: registered.Add(Life),
	}
}

func signed(t *testing.T, tk Ticket) []byte {
	t.Helper()
	b, err := tk.Sign(func(msg []byte) []byte { return ed25519.Sign(issuerKey, msg) })
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func rules(now time.Time) Rules {
	return Rules{Network: thisOne, Registrar: func(k [32]byte) bool { return k == issuer }, Now: now}
}

// spec: 11-registrars M1, M2
func TestATicketTravels(t *testing.T) {
	want := good()
	b := signed(t, want)
	if len(b) > MaxSize {
		t.Errorf("%d bytes", len(b))
	}
	got, err := rules(registered).Verify(b, someone)
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	want.Zone, want.Final = strings.Repeat("z", MaxZone), registered.Add(Life)
	if got, err = rules(registered).Verify(signed(t, want), someone); err != nil || got != want {
		t.Errorf("with the longest zone: %+v, %v", got, err)
	}
}

// spec: 11-registrars M3
func TestWhoATicketDoesNotAdmit(t *testing.T) {
	b := signed(t, good())
	end := registered.Add(Life)
	for name, test := range map[string]struct {
		change func(r *Rules)
		peer   [32]byte
		want   error
	}{
		"another peer":                      {func(*Rules) {}, thisOne, ErrPeer},
		"another network":                   {func(r *Rules) { r.Network = someone }, someone, ErrNetwork},
		"a registrar outside the set":       {func(r *Rules) { r.Registrar = func([32]byte) bool { return false } }, someone, ErrIssuer},
		"before its begin":                  {func(r *Rules) { r.Now = registered.Add(-Backdate - time.Second) }, someone, ErrNotYet},
		"an hour early, as a clock may say": {func(r *Rules) { r.Now = registered.Add(-time.Hour) }, someone, nil},
		"its last second":                   {func(r *Rules) { r.Now = end.Add(-time.Second) }, someone, nil},
		"at its end":                        {func(r *Rules) { r.Now = end }, someone, ErrExpired},
		"in grace":                          {func(r *Rules) { r.Now, r.Grace = end.Add(Grace-time.Second), Grace }, someone, nil},
		"after grace":                       {func(r *Rules) { r.Now, r.Grace = end.Add(Grace), Grace }, someone, ErrExpired},
	} {
		r := rules(registered)
		test.change(&r)
		if _, err := r.Verify(b, test.peer); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

// spec: 11-registrars M1
func TestNoBitOfATicketCanBeChanged(t *testing.T) {
	b := signed(t, good())
	for bit := range 8 * len(b) {
		c := bytes.Clone(b)
		c[bit/8] ^= 1 << (bit % 8)
		if _, err := Parse(c); !errors.Is(err, ErrForm) && !errors.Is(err, ErrSignature) {
			t.Fatalf("bit %d changed: %v", bit, err)
		}
	}
	for n := range b {
		if _, err := Parse(b[:n]); !errors.Is(err, ErrForm) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	if _, err := Parse(append(b, 0)); !errors.Is(err, ErrForm) {
		t.Errorf("a byte more: %v", err)
	}
}

func TestWhatCannotBeSigned(t *testing.T) {
	for name, change := range map[string]func(*Ticket){
		"no role":        func(tk *Ticket) { tk.Role = 0 },
		"a long zone":    func(tk *Ticket) { tk.Zone = strings.Repeat("z", MaxZone+1) },
		"a hidden zone":  func(tk *Ticket) { tk.Zone = "a\nb" },
		"no time":        func(tk *Ticket) { tk.NotAfter = tk.NotBefore },
		"beyond its end": func(tk *Ticket) { tk.Final = tk.NotAfter.Add(-time.Second) },
		"for too long":   func(tk *Ticket) { tk.NotAfter = tk.NotAfter.Add(time.Second) },
		"before history": func(tk *Ticket) { tk.NotBefore = time.Unix(-5, 0) },
	} {
		tk := good()
		change(&tk)
		if _, err := tk.Sign(func([]byte) []byte { return make([]byte, 64) }); !errors.Is(err, ErrForm) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// spec: 11-registrars M4
func TestATicketIsRenewedAfterAThird(t *testing.T) {
	tk := good()
	if got, want := tk.RenewAt(), registered.Add(10*24*time.Hour); !got.Equal(want) {
		t.Errorf("renewed at %v, want %v", got, want)
	}
}

// FuzzParse: whatever is read is what would be written.
func FuzzParse(f *testing.F) {
	tk := good()
	b, _ := tk.Sign(func(msg []byte) []byte { return ed25519.Sign(issuerKey, msg) })
	f.Add(b)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		tk, err := Parse(b)
		if err != nil {
			if !errors.Is(err, ErrForm) && !errors.Is(err, ErrSignature) {
				t.Fatal(err)
			}
			return
		}
		if again := tk.encode(); !bytes.Contains(b, again) {
			t.Errorf("%x is read as %x", b, again)
		}
	})
}
