package audit

import (
	"bytes"
	"crypto/sha3"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// at is the time of the tests' records.
var at = time.Date(2026, 11, 26, 9, 30, 0, 250_900_000, time.UTC)

// full is a record with something in each field.
func full() Record {
	return Record{
		Index: 7, Time: at, Op: OpRegister, Actor: "12D3KooWA", Subject: "12D3KooWB", Reason: "certificate",
		Detail: `Zoë said "hello" \ 你好`, Addr: "/ip4/192.0.2.7/tcp/7330", MAC: "02:00:5e:10:00:01", Size: 512,
	}
}

// spec: 12-audit M1, M2
func TestARecordHasOneForm(t *testing.T) {
	r := full()
	r.clean()
	line := appendRecord(nil, &r)
	body, sum, _ := bytes.Cut(line, []byte(`,"sha3":"`))
	want := `{"n":7,"time":"2026-11-26T09:30:00.250Z","op":"register","actor":"12D3KooWA","subject":"12D3KooWB",` +
		`"reason":"certificate","detail":"Zoë said \"hello\" \\ 你好","addr":"/ip4/192.0.2.7/tcp/7330","mac":"02:00:5e:10:00:01","size":512`
	if string(body) != want {
		t.Errorf("got  %s\nwant %s", body, want)
	}
	hash := sha3.Sum256([]byte(want + "}"))
	if got := hex.EncodeToString(hash[:]) + `"}`; got != string(sum) {
		t.Errorf("fingerprint %s, want %s", sum, got)
	}
	var any map[string]any
	if err := json.Unmarshal(line, &any); err != nil || any["detail"] != r.Detail {
		t.Errorf("another reader of JSON: %v, %q", err, any["detail"])
	}
	got, err := ParseRecord(line)
	if err != nil || got != r {
		t.Errorf("read again: %+v, %v", got, err)
	}
}

// spec: 12-audit M1, M2
func TestOtherFormsAreRefused(t *testing.T) {
	r := full()
	r.clean()
	good := string(appendRecord(nil, &r))
	if _, err := ParseRecord([]byte(good)); err != nil {
		t.Fatal(err)
	}
	again := func(body string) string { // with the right fingerprint
		body, _, _ = strings.Cut(body, `,"sha3"`)
		sum := sha3.Sum256([]byte(body + "}"))
		return body + `,"sha3":"` + hex.EncodeToString(sum[:]) + `"}`
	}
	for name, line := range map[string]string{
		"empty":            "",
		"cut":              good[:len(good)-1],
		"more":             good + " ",
		"a changed text":   strings.Replace(good, "Zoë", "Zoe", 1),
		"upper-case sum":   good[:len(good)-66] + strings.ToUpper(good[len(good)-66:len(good)-2]) + `"}`,
		"a space":          again(strings.Replace(good, `,"op"`, `, "op"`, 1)),
		"an order":         again(strings.Replace(strings.Replace(good, `"actor"`, `"x"`, 1), `"subject"`, `"actor"`, 1)),
		"a leading zero":   again(strings.Replace(good, `"size":512`, `"size":0512`, 1)),
		"a sign":           again(strings.Replace(good, `"size":512`, `"size":-1`, 1)),
		"a large number":   again(strings.Replace(good, `"size":512`, `"size":9007199254740992`, 1)),
		"no milliseconds":  again(strings.Replace(good, `00.250Z`, `00Z`, 1)),
		"another zone":     again(strings.Replace(good, `00.250Z`, `00.250+00:00`, 1)),
		"no such day":      again(strings.Replace(good, `2026-11-26`, `2026-11-31`, 1)),
		"an escape":        again(strings.Replace(good, `Zoë`, `Zo\u00eb`, 1)),
		"a control":        again(strings.Replace(good, `Zoë`, "Zo\x1b", 1)),
		"a line end":       again(strings.Replace(good, `Zoë`, "Zo\u2028", 1)),
		"no UTF-8":         again(strings.Replace(good, `Zoë`, "Zo\xff", 1)),
		"no op":            again(strings.Replace(good, `"op":"register"`, `"op":""`, 1)),
		"an op in capital": again(strings.Replace(good, `"op":"register"`, `"op":"Register"`, 1)),
		"a space in actor": again(strings.Replace(good, `12D3KooWA`, `12D3 KooWA`, 1)),
		"a bad mac":        again(strings.Replace(good, `02:00:5e`, `02-00-5e`, 1)),
		"a long detail":    again(strings.Replace(good, `Zoë`, strings.Repeat("x", maxDetail), 1)),
		"a long line":      again(strings.Replace(good, `Zoë`, strings.Repeat("x", MaxRecord), 1)),
	} {
		if got, err := ParseRecord([]byte(line)); err == nil {
			t.Errorf("%s is taken: %+v", name, got)
		}
	}
}

// Nobody stays out of the log by what he is called, and none is too long.
func TestDetailsAreCleaned(t *testing.T) {
	for _, c := range []struct{ detail, want string }{
		{"a\nb\x1b[2J", "a\uFFFDb\uFFFD[2J"},
		{"a\xffb\u2029", "a\uFFFDb\uFFFD"},
		{strings.Repeat("é", 600), strings.Repeat("é", 512)},
		{strings.Repeat("x", 1023) + "é", strings.Repeat("x", 1023)},
		{strings.Repeat("\x00", 1024), strings.Repeat("\uFFFD", 341)},
	} {
		r := full()
		r.Detail = c.detail
		r.clean()
		if r.Detail != c.want || !utf8.ValidString(r.Detail) {
			t.Errorf("%q became %q", c.detail, r.Detail)
		}
		if err := r.check(); err != nil {
			t.Error(err)
		}
	}
	r := full()
	r.Addr = "/dns4/a\nb c\"é/" + strings.Repeat("x", maxAddr)
	if r.clean(); !strings.HasPrefix(r.Addr, "/dns4/a?b?c??/x") || r.check() != nil {
		t.Errorf("the address became %q", r.Addr)
	}
	long := Record{
		Index: maxNumber, Time: at.Truncate(time.Millisecond), Op: strings.Repeat("o", maxWord), Actor: strings.Repeat("a", maxID), Subject: strings.Repeat("s", maxID),
		Reason: strings.Repeat("r", maxWord), Detail: strings.Repeat(`"`, maxDetail), Addr: strings.Repeat("/", maxAddr),
		MAC: strings.Repeat("00:", 19) + "00", Size: maxNumber,
	}
	if err := long.check(); err != nil {
		t.Fatal(err)
	}
	line := appendRecord(nil, &long)
	if len(line) > MaxRecord {
		t.Errorf("the longest record has %d bytes", len(line))
	}
	if got, err := ParseRecord(line); err != nil || got != long {
		t.Errorf("the longest is read as %+v, %v", got, err)
	}
}

func TestBadRecordsAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(*Record){
		"no op":        func(r *Record) { r.Op = "" },
		"op":           func(r *Record) { r.Op = "LOGIN" },
		"long op":      func(r *Record) { r.Op = strings.Repeat("a", maxWord+1) },
		"reason":       func(r *Record) { r.Reason = "two words" },
		"actor":        func(r *Record) { r.Actor = "a b" },
		"subject":      func(r *Record) { r.Subject = strings.Repeat("a", maxID+1) },
		"mac":          func(r *Record) { r.MAC = "02:0" },
		"mac's colons": func(r *Record) { r.MAC = "02:00:" },
		"size":         func(r *Record) { r.Size = -1 },
		"year":         func(r *Record) { r.Time = at.AddDate(8000, 0, 0) },
	} {
		r := full()
		spoil(&r)
		r.clean()
		if r.check() == nil {
			t.Errorf("%s: %+v is taken", name, r)
		}
	}
}

// spec: 12-audit M1
func FuzzParseRecord(f *testing.F) {
	r := full()
	r.clean()
	f.Add(appendRecord(nil, &r))
	f.Add(appendRecord(nil, &Record{Time: at, Op: OpAdmin}))
	f.Add([]byte(`{"n":0,"time":"`))
	f.Fuzz(func(t *testing.T, line []byte) {
		for _, line := range [][]byte{line, refingerprint(line)} {
			r, err := ParseRecord(line)
			if err != nil {
				continue
			}
			if again := appendRecord(nil, &r); !bytes.Equal(again, line) {
				t.Errorf("%q is read and written as %q", line, again)
			}
			if !json.Valid(line) {
				t.Errorf("%q is read and is no JSON", line)
			}
		}
	})
}

// refingerprint gives a fuzzed line the fingerprint that belongs to it, so that
// what is behind that check is fuzzed too.
func refingerprint(line []byte) []byte {
	body, _, _ := bytes.Cut(line, []byte(fingerprint))
	sum := sha3.Sum256(append(bytes.Clone(body), '}'))
	return []byte(string(body) + fingerprint + hex.EncodeToString(sum[:]) + `"}`)
}
