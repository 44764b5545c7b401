package node

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"unicode"
)

// ReadSecretFile reads the 32 bytes of an ad hoc network's secret. Errors:
// ErrSecret.
func ReadSecretFile(path string) ([32]byte, error) {
	data, err := readFile(path, 4<<10, false)
	if err != nil {
		return [32]byte{}, ErrSecret.Withf("the secret file cannot be read").With(err).WithDo("check its name and permissions")
	}
	return parseSecret(data)
}

// parseSecret reads 32 bytes as hex (64 digits) or base64 (43 characters, or
// 44 with padding; the standard or the URL alphabet). White space is ignored.
// The error, ErrSecret, shows nothing of the content.
func parseSecret(data []byte) (secret [32]byte, err error) {
	text := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, string(data))
	var raw []byte
	if len(text) == 64 {
		raw, err = hex.DecodeString(text)
	} else {
		text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimSuffix(text, "="))
		raw, err = base64.RawStdEncoding.Strict().DecodeString(text)
	}
	if err != nil || len(raw) != len(secret) {
		return secret, ErrSecret
	}
	return [32]byte(raw), nil
}
