package eventlog

import (
	"encoding/binary"

	"github.com/parley-chat/parley/internal/event"
)

// Key spaces. Numbers are big-endian, so that keys sort as numbers do; a log
// is named by its number of 4 bytes. Values beside them are in values.go.
//
//	b ‖ arrival 8                          the payload, verbatim
//	t ‖ log no. 4 ‖ first hlc 8 ‖ arrival 8   timeRec: what of the payload counts
//	j ‖ run 4 ‖ block 4                    runEntry of each event in the block: run.go
//	j ‖ run 4 ‖ 0xffffffff                 the run's filter
//	i ‖ id 32                              indexRec of an event that came or is without its content; of schema 2 and before, of each
//	g ‖ log no. 4 ‖ level 1 ‖ bucket 8     sum of the events of some seconds of hlc: levels.go
//	l ‖ log no. 4                          logRec
//	a ‖ log no. 4 ‖ author 32              authorRec
//	s ‖ log no. 4 ‖ author 32 ‖ window 8   windowRec: which of 256 seqs are stored
//	h ‖ log no. 4 ‖ id 32                  a head: its hlc, 8 bytes
//	p ‖ log no. 4 ‖ id 32                  a parent that is not stored: missingRec
//	c ‖ log no. 4 ‖ hlc 8 ‖ id 32          control event: nothing (its place is under i)
//	r ‖ log no. 4 ‖ author 32              authorRec of what retention deleted
//	r ‖ log no. 4 ‖ author 32 ‖ window 8   windowRec of what retention deleted
//	x ‖ expiry 8 ‖ id 32                   a content that expires: nothing
//	k ‖ author 32                          cutRec: what of an author counts
//	d ‖ arrival 8                          splitRec of a payload of which some events were cut
//	m ‖ name                               the store's own state
//	u ‖ name                               the application's state (SetMeta, Mark)
//
// Schema 1 had its fingerprints under f.
const (
	spacePayload = 'b'
	spaceTime    = 't'
	spaceRuns    = 'j'
	spaceIndex   = 'i'
	spaceSums    = 'g'
	spaceLog     = 'l'
	spaceAuthor  = 'a'
	spaceSeqs    = 's'
	spaceHead    = 'h'
	spaceMissing = 'p'
	spaceControl = 'c'
	spaceDeleted = 'r'
	spaceExpiry  = 'x'
	spaceCuts    = 'k'
	spaceSplit   = 'd'
	spaceOwn     = 'm'
	spaceApp     = 'u'
)

// windowSeqs is the width of a window of an author's seqs. What is stored of
// them is kept by windows, so that an author who leaves gaps does not make any
// record grow. A batch touches two at most.
const windowSeqs = 8 * uint64(len(bitmap{}))

var (
	keySchema    = []byte("mschema")    // SchemaVersion, one byte
	keyArrivals  = []byte("marrivals")  // arrivalRec
	keyDerived   = []byte("mderived")   // derivedRec; none: records tell of all payloads
	keyRuns      = []byte("mruns")      // runsRec; none: each event has an indexRec
	keyMigration = []byte("mmigration") // the schema that is being taken over, one byte; else absent
)

func appendPayloadKey(b []byte, arrival uint64) []byte {
	return binary.BigEndian.AppendUint64(append(b, spacePayload), arrival)
}

func appendTimeKey(b []byte, no uint32, first event.HLC, arrival uint64) []byte {
	b = binary.BigEndian.AppendUint32(append(b, spaceTime), no)
	b = binary.BigEndian.AppendUint64(b, uint64(first))
	return binary.BigEndian.AppendUint64(b, arrival)
}

const timeKeyLen = 1 + 4 + 8 + 8

func parseTimeKey(k []byte) (no uint32, first event.HLC, arrival uint64) {
	return binary.BigEndian.Uint32(k[1:]), event.HLC(binary.BigEndian.Uint64(k[5:])), binary.BigEndian.Uint64(k[13:])
}

func appendIndexKey(b []byte, id *event.ID) []byte {
	return append(append(b, spaceIndex), id[:]...)
}

func appendSumsKey(b []byte, k sumsKey) []byte {
	b = binary.BigEndian.AppendUint32(append(b, spaceSums), k.no)
	return binary.BigEndian.AppendUint64(append(b, k.level), k.bucket)
}

const sumsKeyLen = 1 + 4 + 1 + 8

func logKey(no uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{spaceLog}, no)
}

// inLog returns the prefix of one log in a key space.
func inLog(space byte, no uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{space}, no)
}

func appendIDKey(b []byte, space byte, no uint32, id *[32]byte) []byte {
	b = binary.BigEndian.AppendUint32(append(b, space), no)
	return append(b, id[:]...)
}

const idKeyLen = 1 + 4 + 32

func appendWindowKey(b []byte, space byte, k windowKey) []byte {
	b = appendIDKey(b, space, k.no, (*[32]byte)(&k.author))
	return binary.BigEndian.AppendUint64(b, k.window)
}

const seqsKeyLen = idKeyLen + 8

func appendControlKey(b []byte, no uint32, h event.HLC, id *event.ID) []byte {
	b = binary.BigEndian.AppendUint32(append(b, spaceControl), no)
	b = binary.BigEndian.AppendUint64(b, uint64(h))
	return append(b, id[:]...)
}

const controlKeyLen = 1 + 4 + 8 + 32

func appendExpiryKey(b []byte, expiry uint64, id *event.ID) []byte {
	b = binary.BigEndian.AppendUint64(append(b, spaceExpiry), expiry)
	return append(b, id[:]...)
}

const expiryKeyLen = 1 + 8 + 32

func appKey(name string) []byte { return append([]byte{spaceApp}, name...) }

func appendHLC(b []byte, h event.HLC) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(h))
}
