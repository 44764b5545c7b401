package exportfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/event"
)

// The vectors in testdata are for other implementations. They change only by
// go test ./internal/exportfile -run Vectors -update, and the difference is reviewed.
var update = flag.Bool("update", false, "rewrite the vectors in testdata")

// kept compares a file with what the code makes today, or writes it when asked.
func kept(t *testing.T, path string, made []byte) []byte {
	t.Helper()
	if *update {
		must(t, os.WriteFile(path, made, 0o644))
	}
	file, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(file, made) {
		t.Fatalf("%s differs from what the code makes: a change of the format, or run with -update", path)
	}
	return file
}

// spec: 08-export M1
func TestVectorsExport(t *testing.T) {
	made, _ := export(t, testBatches(t))
	r := NewReader(bytes.NewReader(kept(t, "testdata/export.jsonl", made)))
	for _, err := r.Next(); err != io.EOF; _, err = r.Next() {
		must(t, err)
	}
}

type badLine struct {
	Why    string `json:"why"`    // what was changed
	Reason string `json:"reason"` // form, too-long, version, id, no-head; hash, signature: the event's
	Lines  string `json:"lines"`  // a head, if there is one, and one line that is refused
}

// spec: 08-export M4, M5
func TestVectorsRefused(t *testing.T) {
	file, _ := export(t, testBatches(t))
	lines := strings.Split(strings.TrimSpace(string(file)), "\n")
	head, one, of5 := lines[0], lines[1], lines[3]
	swap := func(line, key, with string) string {
		from := strings.Index(line, `"`+key+`":"`) + len(key) + 4
		return line[:from] + with + line[from+strings.IndexByte(line[from:], '"'):]
	}
	value := func(line, key string) string {
		from := strings.Index(line, `"`+key+`":"`) + len(key) + 4
		return line[from : from+strings.IndexByte(line[from:], '"')]
	}
	with := func(why, reason, line string) badLine { return badLine{why, reason, head + "\n" + line} }
	cases := []badLine{
		with("not JSON", "form", one[:100]),
		with("neither head, event nor end", "form", `{"hello":"world"}`),
		with("id of another event", "id", swap(one, "id", value(of5, "id"))),
		with("header of another event", "id", swap(one, "header", value(of5, "header"))),
		with("content of another event", "hash", swap(one, "content", value(of5, "content"))),
		with("signature of another batch", "signature", swap(one, "signature", value(of5, "signature"))),
		with("index of another event", "signature", strings.Replace(of5, `"index":1`, `"index":2`, 1)),
		with("index left out", "signature", strings.Replace(of5, `"index":1,`, ``, 1)),
		with("count too small for the path", "form", strings.Replace(of5, `"count":5`, `"count":2`, 1)),
		with("path without count", "form", strings.Replace(of5, `"count":5,`, ``, 1)),
		with("path left out", "form", strings.Replace(of5, `,"path":"`+value(of5, "path")+`"`, ``, 1)),
		with("base64 of the URL alphabet", "form", swap(one, "header", "-_"+value(one, "header")[2:])),
		with("base64 with a line end in it", "form", swap(one, "header", value(one, "header")[:4]+`\n`+value(one, "header")[4:])),
		{"head of another version", "version", strings.Replace(head, `"parley_export":1`, `"parley_export":2`, 1)},
		{"log is not that of room and network", "form", strings.Replace(head, `"Lobby"`, `"attic"`, 1)},
		{"an event without a head", "no-head", one},
	}
	var made bytes.Buffer
	enc := json.NewEncoder(&made)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	must(t, enc.Encode(cases))
	var vectors []badLine
	must(t, json.Unmarshal(kept(t, "testdata/refused.json", made.Bytes()), &vectors))
	for _, v := range vectors {
		if got := refusal(v.Lines); got != v.Reason {
			t.Errorf("%s: %q, not %q", v.Why, got, v.Reason)
		}
	}
}

// refusal returns why the last line is refused.
func refusal(lines string) string {
	r := NewReader(strings.NewReader(lines))
	rec, err := r.Next()
	if rec.Head != nil {
		rec, err = r.Next()
	}
	var b *event.Batch
	if err == nil && rec.Payload != nil {
		b, err = event.Decode(rec.Payload)
	}
	if err == nil && b != nil {
		err = b.Verify()
	}
	for name, reason := range map[string]error{
		"form": ErrForm, "too-long": ErrTooLong, "version": ErrVersion, "id": ErrID, "no-head": ErrNoHead,
		"hash": event.ErrHash, "signature": event.ErrSignature,
	} {
		if errors.Is(err, reason) || name == "form" && errors.Is(err, event.ErrForm) {
			return name
		}
	}
	return "none"
}
