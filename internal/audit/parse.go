package audit

import (
	"bytes"
	"crypto/sha3"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"
)

var (
	errForm        = errors.New("it does not have the form of a record")
	errFingerprint = errors.New("its fingerprint is not that of its text")
)

// ParseRecord reads a line, without its LF, in its one form: what it returns is
// written as the same bytes. The error says what is wrong, in words that follow
// "record 17: ".
//
// spec: 12-audit §2, §2.1
func ParseRecord(line []byte) (Record, error) {
	if len(line) > MaxRecord {
		return Record{}, errForm
	}
	p := parser{rest: line}
	r := Record{Index: p.number(`{"n":`)}
	r.Time = p.time(`,"time":`)
	r.Op = p.text(`,"op":`)
	r.Actor = p.text(`,"actor":`)
	r.Subject = p.text(`,"subject":`)
	r.Reason = p.text(`,"reason":`)
	r.Detail = p.text(`,"detail":`)
	r.Addr = p.text(`,"addr":`)
	r.MAC = p.text(`,"mac":`)
	r.Size = p.number(`,"size":`)
	body := line[:len(line)-len(p.rest)]
	sum := p.text(`,"sha3":`)
	p.literal(`}`)
	if p.bad || len(p.rest) > 0 || r.check() != nil {
		return Record{}, errForm
	}
	if !fits(body, sum) {
		return Record{}, errFingerprint
	}
	return r, nil
}

// fits reports whether sum is the fingerprint, in lower-case hex, of a record
// of which body is all but the closing brace.
func fits(body []byte, sum string) bool {
	h := sha3.New256()
	h.Write(body)
	h.Write([]byte{'}'})
	want := hex.AppendEncode(make([]byte, 0, 64), h.Sum(make([]byte, 0, 32)))
	return subtle.ConstantTimeCompare(want, []byte(sum)) == 1
}

// parser takes one part after the other off a line; bad says that one was not
// there.
type parser struct {
	rest []byte
	bad  bool
}

func (p *parser) literal(s string) {
	rest, ok := bytes.CutPrefix(p.rest, []byte(s))
	p.rest, p.bad = rest, p.bad || !ok
}

// number takes a decimal number without sign and leading zeros.
func (p *parser) number(key string) int64 {
	p.literal(key)
	i := 0
	for i < len(p.rest) && p.rest[i] >= '0' && p.rest[i] <= '9' {
		i++
	}
	text := string(p.rest[:i])
	p.rest = p.rest[i:]
	n, err := strconv.ParseInt(text, 10, 64)
	p.bad = p.bad || err != nil || len(text) > 1 && text[0] == '0'
	return n
}

// text takes a string in which nothing is escaped but quotes and backslashes.
func (p *parser) text(key string) string {
	p.literal(key)
	p.literal(`"`)
	end := bytes.IndexByte(p.rest, '"')
	if end < 0 {
		p.bad = true
		return ""
	}
	if bytes.IndexByte(p.rest[:end], '\\') < 0 {
		s := string(p.rest[:end])
		p.rest = p.rest[end+1:]
		return s
	}
	return p.escaped()
}

func (p *parser) escaped() string {
	var s strings.Builder
	for i := 0; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '"':
			p.rest = p.rest[i+1:]
			return s.String()
		case c != '\\':
			s.WriteByte(c)
		case i+1 < len(p.rest) && (p.rest[i+1] == '"' || p.rest[i+1] == '\\'):
			i++
			s.WriteByte(p.rest[i])
		default:
			p.bad = true
		}
	}
	p.bad = true
	return ""
}

// time takes a time in its one form.
func (p *parser) time(key string) time.Time {
	text := p.text(key)
	t, err := time.Parse(timeForm, text)
	p.bad = p.bad || err != nil || t.Format(timeForm) != text
	return t
}

// indexOf reads the number that begins a line and nothing else of it.
func indexOf(line []byte) (int64, bool) {
	p := parser{rest: line}
	n := p.number(`{"n":`)
	return n, !p.bad
}
