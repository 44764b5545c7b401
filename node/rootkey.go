package node

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// DIR/root.key is text like identity.key, with the root's Ed25519 seed. It is
// needed to sign network records and for nothing else, so it can be moved off
// line.
const rootKeyHead = "# Parley network root key. Keep it secret and keep a copy: who has it rules the network.\nparley-root 1\n"

func encodeRootKey(root ed25519.PrivateKey) []byte {
	b := []byte(rootKeyHead)
	b = fmt.Appendf(b, "key %s\n", base64.StdEncoding.EncodeToString(root.Seed()))
	return fmt.Appendf(b, "check %s\n", identityCheck(b))
}

// parseRootKey accepts exactly what encodeRootKey writes.
func parseRootKey(data []byte) (ed25519.PrivateKey, error) {
	line, _, _ := strings.Cut(strings.TrimPrefix(string(data), rootKeyHead), "\n")
	seed, err := base64.StdEncoding.Strict().DecodeString(strings.TrimPrefix(line, "key "))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, ErrRootKey.Withf("root.key is damaged")
	}
	root := ed25519.NewKeyFromSeed(seed)
	if !bytes.Equal(encodeRootKey(root), data) {
		return nil, ErrRootKey.Withf("root.key is damaged")
	}
	return root, nil
}

// errNoRootKey is the ErrRootKey of a directory without root.key.
var errNoRootKey = errors.New("this directory has no root.key")

// readRootKey reads root.key. Errors: ErrRootKey, ErrPermissions.
func readRootKey(dir string) (ed25519.PrivateKey, error) {
	data, err := readFile(filepath.Join(dir, rootKeyFile), 4<<10, true)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ErrRootKey.With(errNoRootKey)
	case errors.Is(err, ErrPermissions):
		return nil, err
	case err != nil:
		return nil, ErrRootKey.With(err)
	}
	return parseRootKey(data)
}

// foundingKey makes the root key of a network to be. One that is there already
// was left by a founding that was cut short, which is taken up again.
func foundingKey(dir string) (ed25519.PrivateKey, error) {
	root, err := readRootKey(dir)
	if !errors.Is(err, errNoRootKey) {
		return root, err
	}
	if _, root, err = ed25519.GenerateKey(rand.Reader); err != nil {
		return nil, err
	}
	if err := createFile(filepath.Join(dir, rootKeyFile), encodeRootKey(root)); err != nil {
		return nil, ErrDir.Withf("root.key cannot be made").With(err)
	}
	return root, nil
}

// loadRootKey reads the root key of the network with this ID. Errors:
// ErrRootKey, ErrPermissions.
func loadRootKey(dir string, network [32]byte) (ed25519.PrivateKey, error) {
	root, err := readRootKey(dir)
	if err != nil {
		return nil, err
	}
	if [32]byte(root.Public().(ed25519.PublicKey)) != network {
		return nil, ErrRootKey.Withf("root.key is of another network")
	}
	return root, nil
}

// HasRootKey reports whether the directory can sign for its network.
func HasRootKey(dir string, network [32]byte) bool {
	_, err := loadRootKey(dir, network)
	return err == nil
}
