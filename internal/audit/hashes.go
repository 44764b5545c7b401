package audit

import (
	"bufio"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"
)

// hashFile has the hashes of the tree in the order of tlog.StoredHashIndex. It
// follows from the records: what is wrong in it is written anew at opening.
type hashFile struct{ f *os.File }

func openHashes(dir string, flag int) (*hashFile, error) {
	f, err := os.OpenFile(filepath.Join(dir, hashesName), flag, 0o600)
	if err != nil {
		return nil, err
	}
	return &hashFile{f}, nil
}

// ReadHashes implements tlog.HashReader. io.ErrUnexpectedEOF or io.EOF if one
// is not there yet.
func (h *hashFile) ReadHashes(at []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(at))
	for i, k := range at {
		if _, err := h.f.ReadAt(out[i][:], k*tlog.HashSize); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// records returns of how many records there are all hashes, at most most.
func (h *hashFile) records(most int64) (int64, error) {
	info, err := h.f.Stat()
	if err != nil {
		return 0, err
	}
	have := info.Size() / tlog.HashSize
	lo, hi := int64(0), most
	for lo < hi { // the largest n whose hashes are there
		if mid := hi - (hi-lo)/2; tlog.StoredHashCount(mid) <= have {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	return lo, nil
}

// hashCursor reads hashes one after the other and compares them.
type hashCursor struct{ buf *bufio.Reader }

// cursor begins with the hashes of record n.
func (h *hashFile) cursor(n int64) *hashCursor {
	begin := tlog.StoredHashCount(n) * tlog.HashSize
	return &hashCursor{bufio.NewReaderSize(io.NewSectionReader(h.f, begin, 1<<62), 64<<10)}
}

// are reports whether the next hashes are these; whole is false if there are
// not so many.
func (c *hashCursor) are(want []tlog.Hash) (same, whole bool) {
	same = true
	for i := range want {
		var got tlog.Hash
		if _, err := io.ReadFull(c.buf, got[:]); err != nil {
			return false, false
		}
		same = same && got == want[i]
	}
	return same, true
}

// appendHashes appends hashes as they are on disk.
func appendHashes(b []byte, hashes []tlog.Hash) []byte {
	for i := range hashes {
		b = append(b, hashes[i][:]...)
	}
	return b
}
