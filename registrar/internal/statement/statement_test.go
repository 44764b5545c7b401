package statement

import (
	"bytes"
	"strings"
	"testing"
)

func TestAuthorizationsRoundTrip(t *testing.T) {
	header := Authorization([]byte("ticket"), make([]byte, NonceSize), []byte{0xff, 0xfe})
	ticket, nonce, signature, ok := ParseAuthorization(header)
	if !ok || string(ticket) != "ticket" || !bytes.Equal(nonce, make([]byte, NonceSize)) || !bytes.Equal(signature, []byte{0xff, 0xfe}) {
		t.Errorf("%q: %q %x %x %v", header, ticket, nonce, signature, ok)
	}
	for _, bad := range []string{
		"", "Parley", "Parley ", "Parley a.b", "Parley a.b.c.d", "parley YQ.YQ.YQ", "Bearer YQ.YQ.YQ", "Parley YQ==.YQ.YQ", "Parley Y+.YQ.YQ",
		"Parley " + strings.Repeat("Y", maxAuthorization) + ".YQ.YQ",
	} {
		if _, _, _, ok := ParseAuthorization(bad); ok {
			t.Errorf("%q is taken", bad)
		}
	}
}

func FuzzParseAuthorization(f *testing.F) {
	f.Add(Authorization([]byte("ticket"), []byte("nonce"), []byte("signature")))
	f.Add("Parley ..")
	f.Fuzz(func(t *testing.T, header string) {
		a, b, c, ok := ParseAuthorization(header)
		if !ok {
			return
		}
		again, _, _, ok := ParseAuthorization(Authorization(a, b, c))
		if !ok || !bytes.Equal(again, a) {
			t.Errorf("%q is read differently", header)
		}
	})
}
