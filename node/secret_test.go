package node

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseSecret(t *testing.T) {
	want := seq(0xe0) // has both characters in which the alphabets differ
	raw := want[:]
	hexed, std := hex.EncodeToString(raw), base64.StdEncoding.EncodeToString(raw)
	for _, text := range []string{
		hexed, strings.ToUpper(hexed), " " + hexed[:32] + "\r\n" + hexed[32:] + "\n\t",
		std, strings.TrimRight(std, "="), base64.URLEncoding.EncodeToString(raw), std[:10] + " \n" + std[10:],
	} {
		if got, err := parseSecret([]byte(text)); err != nil || got != want {
			t.Errorf("%q: %x, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "x", hexed[:62], hexed + "00", hexed[:63] + "g", std[:40], std + "=", std + "A", string(raw),
		base64.StdEncoding.EncodeToString(raw[:31]), std[:42] + "9=",
	} {
		_, err := parseSecret([]byte(text))
		if !errors.Is(err, ErrSecret) {
			t.Errorf("%q is taken: %v", text, err)
		} else if len(text) > 8 && strings.Contains(err.Error(), text[:8]) {
			t.Errorf("the error shows the secret: %v", err)
		}
	}
}

func TestReadSecretFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	if _, err := ReadSecretFile(path); !errors.Is(err, ErrSecret) {
		t.Errorf("absent: %v", err)
	}
	want := seq(1)
	write(t, path, hex.EncodeToString(want[:])+"\n", 0o600)
	if got, err := ReadSecretFile(path); err != nil || got != want {
		t.Errorf("got %x, %v", got, err)
	}
}

func FuzzParseSecret(f *testing.F) {
	f.Add([]byte("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parseSecret(data)
		if err != nil {
			return
		}
		if again, err := parseSecret([]byte(hex.EncodeToString(s[:]))); err != nil || again != s {
			t.Fatalf("%x became %x, %v", s, again, err)
		}
	})
}
