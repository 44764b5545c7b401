package show

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	v1 "github.com/parley-chat/parley/api/parley/v1"
)

// What others write must not act on the terminal nor pass for somebody else's.
func TestCleanDisarms(t *testing.T) {
	for hostile, want := range map[string]string{
		"plain":                    "plain",
		"小明 ada é":                 "小明 ada é",
		"👩‍💻 🇨🇳":                   "👩‍💻 🇨🇳",
		"\x1b[2J\x1b]0;owned\x07x": "�[2J�]0;owned�x",
		"\u009b31mred":             "�31mred",
		"a\nada: I agree":          "a ada: I agree",
		"a\r\tb\u2028c":            "a  b c",
		"user\u202etxt.exe":        "user�txt.exe",
		"\u2066hidden\u2069":       "�hidden�",
		"zero\u200bwidth\ufeff":    "zero�width�",
		"\U000e0041tag":            "�tag",
		"fill\u3164er":             "fill�er",
		"not\xff\xfetext":          "not�text",
		"del\x7f\x08back":          "del��back",
	} {
		if got := Clean(hostile); got != want {
			t.Errorf("%q: got %q, want %q", hostile, got, want)
		}
	}
}

func TestTextSetsFurtherLinesOff(t *testing.T) {
	got := Text("one\r\n12:00  ada: forged\n\x1b[Atwo\n")
	want := "one\n      | 12:00  ada: forged\n      | �[Atwo"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzText(f *testing.F) {
	f.Add("a\nb\x1b[2J\u202e")
	f.Fuzz(func(t *testing.T, s string) {
		for i, line := range strings.Split(Text(s), "\n") {
			if i > 0 && !strings.HasPrefix(line, "      | ") {
				t.Errorf("line %d of %q is not set off: %q", i, s, line)
			}
			if strings.ContainsFunc(line, func(r rune) bool { return r < 0x20 || isC1(r) }) {
				t.Errorf("a control character is left of %q: %q", s, line)
			}
		}
	})
}

func TestTableCountsColumns(t *testing.T) {
	var out bytes.Buffer
	err := Table(&out, []string{"NICK", "ROOM"}, [][]string{{"小明", "大厅"}, {"ada", "lob\x1bby"}, {"e\u0301", "x"}})
	if err != nil {
		t.Fatal(err)
	}
	want := "NICK  ROOM\n小明  大厅\nada   lob�by\ne\u0301     x\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestJSONIsALineThatTerminalsDoNotObey(t *testing.T) {
	var out bytes.Buffer
	value := map[string]string{"text": "<a&b>\x1b[2J\u009b1m\x7f\n小明"}
	if err := JSON(&out, value); err != nil {
		t.Fatal(err)
	}
	if want := `{"text":"<a&b>\u001b[2J\u009b1m\u007f\n小明"}` + "\n"; out.String() != want {
		t.Errorf("got %s, want %s", out.String(), want)
	}
	var back map[string]string
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || back["text"] != value["text"] {
		t.Errorf("read back %q, %v", back["text"], err)
	}
}

func message() *v1.Message {
	return &v1.Message{
		Id: "aa", Log: "bb", Room: "Große Halle", Author: "12D3", Nick: "ada",
		Hlc: uint64(time.Date(2026, 11, 23, 4, 5, 6, 7e6, time.UTC).UnixMilli())<<16 | 3, Seq: 1 << 60,
		Kind: "message", Type: "text", Text: "hi", Parents: []string{"cc", "dd"}, State: "held 1/2", Cursor: 9, Self: true,
	}
}

func TestMessageKeys(t *testing.T) {
	cases := map[string]struct {
		form Message
		want string
	}{
		"full": {MessageOf(message()), `{"id":"aa","log":"bb","room":"Große Halle","author":"12D3","nick":"ada","time":"2026-11-23T04:05:06.007Z",` +
			`"hlc":"117663773884874755","seq":"1152921504606846976","kind":"message","type":"text","text":"hi","parents":["cc","dd"],"state":"held 1/2"}`},
		"canonical": {CanonicalOf(message()), `{"id":"aa","log":"bb","room":"große halle","author":"12D3","time":"2026-11-23T04:05:06.007Z",` +
			`"hlc":"117663773884874755","seq":"1152921504606846976","kind":"message","type":"text","text":"hi","parents":["cc","dd"]}`},
		"fork": {MessageOf(&v1.Message{Kind: "leave", Fork: true}), `{"id":"","log":"","author":"","nick":"","time":"1970-01-01T00:00:00.000Z",` +
			`"hlc":"0","seq":"0","kind":"leave","type":"","text":"","parents":[],"fork":true}`},
		"canonical fork": {CanonicalOf(&v1.Message{Kind: "leave", Fork: true}), `{"id":"","log":"","author":"","time":"1970-01-01T00:00:00.000Z",` +
			`"hlc":"0","seq":"0","kind":"leave","type":"","text":"","parents":[]}`},
		"bare": {MessageOf(&v1.Message{Kind: "leave"}), `{"id":"","log":"","author":"","nick":"","time":"1970-01-01T00:00:00.000Z",` +
			`"hlc":"0","seq":"0","kind":"leave","type":"","text":"","parents":[]}`},
	}
	for name, c := range cases {
		var out bytes.Buffer
		if err := JSON(&out, c.form); err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(out.String()); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, c.want)
		}
	}
}

func TestWhen(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.Local)
	for at, want := range map[time.Time]string{
		now.Add(-time.Hour):       "11:00",
		now.Add(-24 * time.Hour):  "2026-11-22 12:00",
		now.AddDate(-1, 0, 0):     "2025-11-23 12:00",
		now.Add(-time.Hour).UTC(): "11:00",
	} {
		if got := When(at, now); got != want {
			t.Errorf("%v: got %s, want %s", at, got, want)
		}
	}
}

func TestShortID(t *testing.T) {
	if got := ShortID("12D3KooWNSKmD3a3VbihniZRg5aYFgA2oAhcZmuM5nE4iXfLi3Bp"); got != "…iXfLi3Bp" {
		t.Error(got)
	}
	if got := ShortID("short"); got != "short" {
		t.Error(got)
	}
}
