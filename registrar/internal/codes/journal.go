package codes

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"time"

	"github.com/parley-chat/parley/internal/disk"
)

// A journal tells what was redeemed since codes.json was written. Its first line
// names the generation of that; each further one is a commit. A checksum is the
// CRC-32C of what follows it and a space, in 8 hex digits:
//
//	<checksum> parley codes journal 1 <generation, decimal>
//	<checksum> <JSON array of spentJSON>
//
// A line is written when the one before is on disk. So a kill or a loss of power
// leaves at most the last one torn: without its end, or with NUL for what was not
// written. Nobody was told of it, and it is cut. Whatever else is wrong is damage.
const (
	journalFile  = "codes.journal" // 0600
	journalFirst = "parley codes journal 1 %d"
)

// maxJournal is more bytes than MaxCodes lines of one code each take.
const maxJournal = MaxCodes * 512

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// spentJSON is a code that a peer has redeemed.
type spentJSON struct {
	Hash   string    `json:"hash"` // as in codeJSON
	UsedBy string    `json:"used_by"`
	Used   time.Time `json:"used"`
}

// journal is one that is open.
type journal struct {
	f    *os.File
	size int64        // of what is whole
	sync func() error // f.Sync, which tests break
	bad  bool         // what is on disk is not known
}

// openJournal opens one of which size bytes are whole, and cuts what is behind them.
func openJournal(path string, size int64) (*journal, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Size() > size {
		err = errors.Join(f.Truncate(size), f.Sync())
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &journal{f: f, size: size, sync: f.Sync}, nil
}

// append writes a commit. With an error nothing was redeemed; bad says whether the
// journal can go on.
func (j *journal) append(spent []*redemption) error {
	line := encodeSpent(spent)
	if _, err := j.f.WriteAt(line, j.size); err != nil {
		undone := j.f.Truncate(j.size) // a full disk may have room again
		j.bad = undone != nil
		return errors.Join(err, undone)
	}
	if err := j.sync(); err != nil {
		j.bad = true
		return err
	}
	j.size += int64(len(line))
	return nil
}

func encodeSpent(spent []*redemption) []byte {
	list := make([]spentJSON, len(spent))
	for i, r := range spent {
		list[i] = spentJSON{hex.EncodeToString(r.hash[:]), r.peer, whole(r.now)}
	}
	text, err := json.Marshal(list)
	if err != nil {
		panic(err) // strings and times in range always encode
	}
	return lineOf(text)
}

// journaled is what a journal holds.
type journaled struct {
	generation uint64
	spent      []redemption
	size       int64 // of what is whole
}

func parseJournal(data []byte) (j journaled, err error) {
	first, rest, _ := bytes.Cut(data, []byte("\n"))
	_, text, _ := bytes.Cut(first, []byte(" "))
	if _, err := fmt.Sscanf(string(text), journalFirst, &j.generation); err != nil || string(first)+"\n" != firstLine(j.generation) {
		return j, errors.New("it does not begin as a journal does")
	}
	for n := 2; len(rest) > 0; n++ {
		line, after, ended := bytes.Cut(rest, []byte("\n"))
		if len(after) == 0 && (!ended || bytes.IndexByte(line, 0) >= 0) {
			break // torn
		}
		if j.spent, err = parseSpent(j.spent, line); err != nil {
			return j, fmt.Errorf("line %d: %w", n, err)
		}
		rest = after
	}
	j.size = int64(len(data) - len(rest))
	return j, nil
}

// parseSpent appends what a line tells of.
func parseSpent(spent []redemption, line []byte) ([]redemption, error) {
	sum, text, _ := bytes.Cut(line, []byte(" "))
	if string(sum) != checksum(text) {
		return nil, errors.New("the checksum is wrong")
	}
	var list []spentJSON
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, errors.New("it is not JSON of the right form")
	}
	for _, c := range list {
		h, err := parseHash(c.Hash)
		if err != nil {
			return nil, err
		}
		if err := checkPeer(c.UsedBy); err != nil {
			return nil, err
		}
		spent = append(spent, redemption{hash: h, peer: c.UsedBy, now: c.Used})
	}
	return spent, nil
}

// apply tells the codes of its generation what was redeemed.
func (j journaled) apply(all map[hash]entry) error {
	for _, r := range j.spent {
		e, known := all[r.hash]
		if !known || e.usedBy != "" {
			return errors.New("it has a code that is not there, or was used before")
		}
		e.usedBy, e.used = r.peer, whole(r.now)
		all[r.hash] = e
	}
	return nil
}

func firstLine(generation uint64) string {
	return string(lineOf(fmt.Appendf(nil, journalFirst, generation)))
}

func lineOf(text []byte) []byte { return fmt.Appendf(nil, "%s %s\n", checksum(text), text) }

func checksum(text []byte) string { return fmt.Sprintf("%08x", crc32.Checksum(text, castagnoli)) }

// beginJournal puts an empty one in the place of the former.
func beginJournal(path string, generation uint64) error {
	return disk.Replace(path, []byte(firstLine(generation)))
}
