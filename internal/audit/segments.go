package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// DirName is where in a data directory the log lies.
const DirName = "audit"

// The files of a log. Of each only the end grows.
const (
	recordsName     = "records-%012d.jsonl" // the records from that index on
	hashesName      = "hashes"              // 32 bytes each, in the order of tlog.StoredHashIndex
	checkpointsName = "checkpoints.jsonl"   // notes as JSON strings, by rising size
	cosignedName    = "cosigned.jsonl"      // the same, with others' signatures
	seenName        = "seen"                // a folder: the newest checkpoint of each other registrar
	lockName        = "lock"
)

// segmentName names the file that begins with a record.
func segmentName(first int64) string { return fmt.Sprintf(recordsName, first) }

// listSegments returns the first indexes of the files of records, ascending.
// ErrNoLog if there is none.
func listSegments(dir string) ([]int64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, ErrFailed.With(err)
	}
	var firsts []int64
	for _, e := range entries {
		text, ok := strings.CutPrefix(e.Name(), "records-")
		first, err := strconv.ParseInt(strings.TrimSuffix(text, ".jsonl"), 10, 64)
		if ok && err == nil && segmentName(first) == e.Name() {
			firsts = append(firsts, first)
		}
	}
	if len(firsts) == 0 {
		return nil, ErrNoLog.Withf("there is no audit log in %s", dir)
	}
	slices.Sort(firsts)
	return firsts, nil
}

// segmentOf returns the file that a record should be in.
func segmentOf(firsts []int64, n int64) int64 {
	i, found := slices.BinarySearch(firsts, n)
	if !found && i > 0 {
		i--
	}
	return firsts[i]
}

// Size returns how many records a log has, as far as they are whole. It looks
// at the last of them alone.
func Size(dir string) (int64, error) {
	firsts, err := listSegments(dir)
	if err != nil {
		return 0, err
	}
	first := firsts[len(firsts)-1]
	f, err := os.Open(filepath.Join(dir, segmentName(first)))
	if err != nil {
		return 0, ErrFailed.With(err)
	}
	defer f.Close()
	line, _, err := lastLine(f, MaxRecord)
	if err != nil {
		return 0, ErrFailed.With(err)
	}
	if line == nil {
		return first, nil
	}
	n, ok := indexOf(line)
	if !ok {
		return 0, ErrChanged.Withf("the last record of %s cannot be read", segmentName(first))
	}
	return n + 1, nil
}

// lastLine returns the last whole line of a file, without its LF, and where it
// ends; nil if there is none among the last bytes, twice as many as a line has.
func lastLine(f *os.File, longest int64) (line []byte, end int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	begin := max(0, info.Size()-2*(longest+1))
	tail, err := io.ReadAll(io.NewSectionReader(f, begin, info.Size()-begin))
	if err != nil {
		return nil, 0, err
	}
	last := bytes.LastIndexByte(tail, '\n')
	if last < 0 {
		return nil, begin, nil
	}
	return tail[bytes.LastIndexByte(tail[:last], '\n')+1 : last], begin + int64(last) + 1, nil
}

// seekRecord returns where in a file of records the first one from n on begins:
// at most the file's end. Records begin with their index, so it halves.
func seekRecord(f *os.File, n int64) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, ErrFailed.With(err)
	}
	const window = 2 * (MaxRecord + 1) // holds a whole line wherever it begins
	buf := make([]byte, window)
	lo, hi := int64(0), info.Size() // lo begins a line before n, or the file
	for hi-lo > window {
		mid := lo + (hi-lo)/2
		got, err := f.ReadAt(buf, mid)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, ErrFailed.With(err)
		}
		_, rest, _ := bytes.Cut(buf[:got], []byte{'\n'})
		if bytes.IndexByte(rest, '\n') < 0 { // no whole line begins behind mid
			hi = mid
			continue
		}
		k, ok := indexOf(rest)
		switch {
		case !ok:
			return 0, ErrChanged.Withf("what stands behind byte %d of %s is not a record", mid, filepath.Base(f.Name()))
		case k >= n:
			hi = mid
		default:
			lo = mid + int64(got-len(rest))
		}
	}
	return scanTo(f, lo, n)
}

// scanTo reads lines from a place where one begins until it is at record n.
func scanTo(f *os.File, at, n int64) (int64, error) {
	r := lineReader{f: f, at: at}
	for {
		begin := r.at
		line, err := r.next()
		if errors.Is(err, io.EOF) {
			return begin, nil
		}
		if err != nil {
			return 0, err
		}
		k, ok := indexOf(line)
		if !ok {
			return 0, ErrChanged.Withf("what stands at byte %d of %s is not a record", begin, filepath.Base(f.Name()))
		}
		if k >= n {
			return begin, nil
		}
	}
}
