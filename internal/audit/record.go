package audit

import (
	"crypto/sha3"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// What a record can tell of. Words are only added; a reader takes others too.
const (
	OpRegister = "register" // a node was given a ticket
	OpLogin    = "login"    // a node with a ticket came
	OpRefuse   = "refuse"   // somebody was not let in: Reason says why
	OpRevoke   = "revoke"   // a ticket, key or certificate counts no more
	OpForward  = "forward"  // a message was handed on: Subject is its id, Size its size, nothing else is known
	OpAdmin    = "admin"    // a person changed something
)

// Limits of a record, in bytes.
const (
	MaxRecord = 4 << 10 // a line, its LF not counted

	maxWord   = 32      // op, reason
	maxID     = 128     // actor, subject
	maxDetail = 1 << 10 // longer details are cut
	maxAddr   = 256
	maxMAC    = 59 // 20 bytes, as on InfiniBand

	// maxNumber is the largest number that every reader of JSON holds exactly.
	maxNumber = 1<<53 - 1
)

// timeForm is RFC 3339 in UTC with milliseconds.
const timeForm = "2006-01-02T15:04:05.000Z"

// Record is what the log tells of one deed. Index is given by the log.
type Record struct {
	Index   int64
	Time    time.Time // cut to milliseconds
	Op      string    // one of Op…
	Actor   string    // peer ID of who did it; empty for who has none
	Subject string    // peer ID or id that it was done to
	Reason  string    // a short word: lower-case letters, digits and underscores
	Detail  string    // for people; cleaned and cut to 1,024 bytes
	Addr    string    // multiaddr that the actor came from
	MAC     string    // what the kernel knows of that address: see Neighbours
	Size    int64     // bytes that were handed on
}

// check says what of a record, cleaned before, cannot be written.
//
// spec: 12-audit §2
func (r *Record) check() error {
	switch {
	case r.Index < 0 || r.Index > maxNumber:
		return fmt.Errorf("n is %d", r.Index)
	case r.Time.Year() < 0 || r.Time.Year() > 9999:
		return fmt.Errorf("time is in the year %d", r.Time.Year())
	case r.Op == "" || !isWord(r.Op):
		return fmt.Errorf("op is %q", r.Op)
	case !isWord(r.Reason):
		return fmt.Errorf("reason is %q", r.Reason)
	case !isPlain(r.Actor, maxID), !isPlain(r.Subject, maxID), !isPlain(r.Addr, maxAddr):
		return fmt.Errorf("actor, subject or addr is too long or not printable ASCII")
	case !isMAC(r.MAC):
		return fmt.Errorf("mac is %q", r.MAC)
	case len(r.Detail) > maxDetail || strings.ContainsFunc(r.Detail, isControl) || !utf8.ValidString(r.Detail):
		return fmt.Errorf("detail is too long or not printable")
	case r.Size < 0 || r.Size > maxNumber:
		return fmt.Errorf("size is %d", r.Size)
	}
	return nil
}

// clean makes a detail, which may quote a stranger, and an address ones that can
// be written: nobody stays out of the log by what he is called.
func (r *Record) clean() {
	r.Time = r.Time.UTC().Truncate(time.Millisecond)
	text := strings.Map(func(c rune) rune {
		if isControl(c) {
			return utf8.RuneError
		}
		return c
	}, strings.ToValidUTF8(r.Detail, string(utf8.RuneError)))
	for len(text) > maxDetail {
		_, last := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-last]
	}
	r.Detail = text
	r.Addr = strings.Map(func(c rune) rune {
		if !isPlainRune(c) {
			return '?'
		}
		return c
	}, r.Addr)
	r.Addr = r.Addr[:min(len(r.Addr), maxAddr)]
}

// isControl reports the characters that a record never has: the controls of
// ASCII and Latin-1, and the two line ends of Unicode.
func isControl(c rune) bool {
	return c < 0x20 || c >= 0x7f && c <= 0x9f || c == '\u2028' || c == '\u2029'
}

// isWord reports lower-case letters, digits and underscores, or nothing.
func isWord(s string) bool {
	return len(s) <= maxWord && !strings.ContainsFunc(s, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_'
	})
}

// isPlain reports printable ASCII without spaces, quotes and backslashes.
func isPlain(s string, most int) bool {
	return len(s) <= most && !strings.ContainsFunc(s, func(c rune) bool { return !isPlainRune(c) })
}

func isPlainRune(c rune) bool { return c > ' ' && c <= '~' && c != '"' && c != '\\' }

// isMAC reports pairs of lower-case hex digits with colons between, or nothing.
func isMAC(s string) bool {
	if len(s) > maxMAC || s != "" && len(s)%3 != 2 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if i%3 == 2 && c != ':' || i%3 != 2 && (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// fingerprint begins the last key of a line.
const fingerprint = `,"sha3":"`

// appendRecord appends the one line that a record is, without an end: its
// canonical JSON, and in it, last, the fingerprint of what it is without that.
//
// spec: 12-audit §2, §2.1
func appendRecord(b []byte, r *Record) []byte {
	begin := len(b)
	b = strconv.AppendInt(append(b, `{"n":`...), r.Index, 10)
	b = append(b, `,"time":"`...)
	b = append(r.Time.UTC().AppendFormat(b, timeForm), '"')
	for _, f := range [...]struct{ key, value string }{
		{"op", r.Op},
		{"actor", r.Actor},
		{"subject", r.Subject},
		{"reason", r.Reason},
		{"detail", r.Detail},
		{"addr", r.Addr},
		{"mac", r.MAC},
	} {
		b = append(b, `,"`...)
		b = append(b, f.key...)
		b = append(b, `":"`...)
		b = append(appendText(b, f.value), '"')
	}
	b = strconv.AppendInt(append(b, `,"size":`...), r.Size, 10)
	b = append(b, '}')
	sum := sha3.Sum256(b[begin:])
	b = append(b[:len(b)-1], fingerprint...)
	b = hex.AppendEncode(b, sum[:])
	return append(b, `"}`...)
}

// appendText escapes the two characters that have to be.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return b
}
