package eventlog

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/y"
)

// Salvaging reads badger's files itself and changes none of them: badger refuses
// a store of which one file is damaged, and repairs others as it opens them.

// Bits of an entry's first byte.
const (
	rawDeleted = 1 << 0
	rawPointer = 1 << 1
)

// rawLog is a value-log file or the log of a memtable: a key id of 8 bytes, a
// base of 12 for initialization vectors, then entries: meta, user meta, lengths of
// key and value and expiry as varints, key and value encrypted, CRC-32C of all that.
type rawLog struct {
	data []byte
	key  []byte // nil: not encrypted
	base []byte
}

const rawLogHeader = 20

var errRawEntry = errors.New("no entry that can be read")

// openRawLog reads a file whole: some 64 MiB at most. One without a byte was just
// being made.
func openRawLog(path string, keys *badger.KeyRegistry) (*rawLog, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(data) == 0 {
		return &rawLog{}, nil
	}
	if len(data) < rawLogHeader {
		return nil, errRawEntry
	}
	l := &rawLog{data: data, base: data[8:rawLogHeader]}
	dk, err := keys.DataKey(binary.BigEndian.Uint64(data))
	if dk != nil {
		l.key = dk.Data
	}
	return l, err
}

// rawEntry is an entry of a log. The key has badger's version at its end.
type rawEntry struct {
	meta     byte
	key, val []byte
	size     int
}

// at reads the entry at an offset.
func (l *rawLog) at(offset int) (e rawEntry, err error) {
	if offset < rawLogHeader || offset+2 > len(l.data) {
		return e, errRawEntry
	}
	b := l.data[offset:]
	d := decoder{b: b[2:]}
	keyLen, valLen := d.uvarint(), d.uvarint()
	d.uvarint() // expiry: not used
	if d.bad || keyLen <= 8 || keyLen > 1<<16 || valLen > uint64(len(d.b)) || keyLen+valLen+4 > uint64(len(d.b)) {
		return e, errRawEntry
	}
	head := len(b) - len(d.b)
	body := int(keyLen + valLen)
	if crc32.Checksum(b[:head+body], y.CastagnoliCrcTable) != binary.BigEndian.Uint32(b[head+body:]) {
		return e, errRawEntry
	}
	kv := b[head : head+body]
	if l.key != nil {
		iv := binary.BigEndian.AppendUint32(append(make([]byte, 0, 16), l.base...), uint32(offset))
		if kv, err = y.XORBlockAllocate(kv, l.key, iv); err != nil {
			return e, err
		}
	}
	return rawEntry{meta: b[0], key: kv[:keyLen], val: kv[keyLen:], size: head + body + 4}, nil
}

// each calls fn with every entry that can be read, also behind one that cannot,
// and says whether that was all there is.
func (l *rawLog) each(fn func(e rawEntry) error) (whole bool, err error) {
	whole = true
	end := len(l.data)
	for end > rawLogHeader && l.data[end-1] == 0 { // was never written
		end--
	}
	for offset := rawLogHeader; offset < end; {
		e, err := l.at(offset)
		if err != nil {
			whole = false
			offset++
			continue
		}
		if err := fn(e); err != nil {
			return whole, err
		}
		offset += e.size
	}
	return whole, nil
}

// rawPlace is where a value lies in the value log.
type rawPlace struct{ file, offset uint32 }

// decodeRawPlace reads a pointer as badger writes it: file, length and offset in
// the byte order of the machine.
func decodeRawPlace(b []byte) (p rawPlace, err error) {
	if len(b) < 12 {
		return p, errRawEntry
	}
	return rawPlace{binary.NativeEndian.Uint32(b), binary.NativeEndian.Uint32(b[8:])}, nil
}
