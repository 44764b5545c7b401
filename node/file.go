package node

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/parley-chat/parley/internal/disk"
)

// Names inside a data directory, which is 0700; the files with secrets are
// 0600.
const (
	identityFile = "identity.key"
	networkFile  = "network.json"
	rootKeyFile  = "root.key"
	peersFile    = "peers.json"
)

// dirNames are all names that Parley itself puts into a data directory.
var dirNames = []string{
	identityFile, networkFile, rootKeyFile, peersFile, peersFile + ".damaged",
	"config.json", "store", "api.sock", "api.addr", "lock", networkLock, rotationFile,
	ticketFile, "audit", "audit.cursor", "ca", "codes.json", "codes.journal", "tls.crt", "tls.key",
}

// prepareDir makes the data directory, or sees to it that nobody else can
// change an existing one. A directory that holds nothing but Parley's own
// files is tightened to 0700 with a warning. One that holds other things is
// left as it is, for it may be somebody's home: it is refused if others can
// write to it, since they could exchange the keys, and else used with a
// warning, since the files with secrets are 0600 themselves.
func prepareDir(dir string, log *slog.Logger) error {
	if dir == "" {
		return ErrDir.Withf("no data directory is given")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return ErrDir.With(err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return ErrDir.With(err)
	}
	perm := info.Mode().Perm()
	if perm&0o077 == 0 || !disk.HasModes {
		return nil
	}
	own, err := onlyOwnNames(dir)
	if err != nil {
		return ErrDir.With(err)
	}
	if own && os.Chmod(dir, 0o700) == nil {
		log.Warn("the data directory was open to others and is closed now", "dir", dir, "mode", perm)
		return nil
	}
	if perm&0o022 != 0 {
		return ErrPermissions.Withf("others can write to %s", dir).WithDo("chmod 700 it, or choose another directory")
	}
	log.Warn("others can list the data directory", "dir", dir, "mode", perm)
	return nil
}

func onlyOwnNames(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, err
	}
	for _, e := range entries {
		name, _, _ := strings.Cut(e.Name(), ".tmp-") // what a crash left of place
		if !slices.Contains(dirNames, name) {
			return false, nil
		}
	}
	return true, nil
}

// readFile reads a file of at most limit bytes. A secret one is refused with
// ErrPermissions when others can read or write it: its content may be known.
func readFile(path string, limit int64, secret bool) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	if perm := info.Mode().Perm(); secret && perm&0o077 != 0 && disk.HasModes {
		return nil, ErrPermissions.Withf("others have access to %s (mode %04o)", path, perm).
			WithDo("chmod 600 it; if others may have read it, start anew with a fresh directory")
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return data, nil
}

// createFile writes a new 0600 file so that it is there whole or not at all,
// also after a power cut, and never takes the place of an existing one: the
// error is then fs.ErrExist.
func createFile(path string, data []byte) error {
	var suffix [8]byte
	_, _ = rand.Read(suffix[:])
	tmp := path + ".tmp-" + hex.EncodeToString(suffix[:])
	defer os.Remove(tmp)
	if err := disk.WriteNew(tmp, data); err != nil {
		return err
	}
	if err := moveNew(tmp, path); err != nil {
		return err
	}
	return disk.SyncDir(filepath.Dir(path))
}

func moveNew(tmp, path string) error {
	err := os.Link(tmp, path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	// A file system without hard links: a process that creates the same
	// file between the two calls loses against the rename.
	if _, statErr := os.Lstat(path); statErr == nil {
		return fs.ErrExist
	}
	return os.Rename(tmp, path)
}

// orSilent returns a logger that is never nil.
func orSilent(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}
