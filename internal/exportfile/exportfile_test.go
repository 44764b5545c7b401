package exportfile

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/event"
)

var (
	testKey     = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
	testAuthor  = event.Author(testKey.Public().(ed25519.PublicKey))
	testNetwork = [32]byte{1}
	testHead    = Head{"lan", testNetwork, "Lobby", event.PublicRoomLog(testNetwork, "lobby")}
)

// testBatches are one event signed by itself, then five signed together.
func testBatches(t testing.TB) []*event.Batch {
	t.Helper()
	const at = event.HLC(1_767_225_600_000 << 16) // 2026-01-01T00:00:00Z
	var out []*event.Batch
	seq, last := uint64(0), event.ID{}
	for _, n := range []int{1, 5} {
		var drafts []event.Draft
		for i := range n {
			text := fmt.Sprintf("message %d", int(seq)+i+1)
			payload, err := event.Message{Type: event.TypeText, Data: []byte(text)}.Encode()
			if err != nil {
				t.Fatal(err)
			}
			drafts = append(drafts, event.Draft{
				HLC: at + event.HLC(seq+uint64(i))<<16, Kind: event.KindMessage, Payload: payload, Salt: [16]byte{byte(seq), byte(i)},
			})
		}
		b, err := event.Seal(testHead.Log, testAuthor, seq, last, drafts, func(m []byte) []byte { return ed25519.Sign(testKey, m) })
		if err != nil {
			t.Fatal(err)
		}
		seq, last = seq+uint64(n), b.Events[n-1].ID
		out = append(out, b)
	}
	return out
}

// export writes these batches, and returns the payloads too. The content of
// the last event is erased.
func export(t testing.TB, batches []*event.Batch) (file []byte, payloads [][]byte) {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out)
	must(t, w.Head(testHead))
	for i, b := range batches {
		for j := range b.Events {
			p, err := b.Single(j)
			must(t, err)
			if i == len(batches)-1 && j == len(b.Events)-1 {
				alone, err := event.Decode(p)
				must(t, err)
				p, err = alone.Erase(0)
				must(t, err)
			}
			must(t, w.Event(p))
			payloads = append(payloads, p)
		}
	}
	must(t, w.End())
	return out.Bytes(), payloads
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// spec: 08-export M1
func TestWhatIsExportedIsReadAgain(t *testing.T) {
	file, payloads := export(t, testBatches(t))
	r := NewReader(bytes.NewReader(file))
	rec, err := r.Next()
	must(t, err)
	if rec.Head == nil || *rec.Head != testHead {
		t.Fatalf("the head is %+v", rec.Head)
	}
	for i, want := range payloads {
		rec, err := r.Next()
		must(t, err)
		if !bytes.Equal(rec.Payload, want) {
			t.Errorf("event %d is not the same", i)
		}
		b, err := event.Decode(rec.Payload)
		must(t, err)
		must(t, b.Verify())
	}
	rec, err = r.Next()
	must(t, err)
	if rec.End == nil || *rec.End != uint64(len(payloads)) || r.Line() != len(payloads)+2 {
		t.Errorf("the end is %+v in line %d", rec, r.Line())
	}
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("after the end comes %v", err)
	}
}

// Each of these spoils the third line; the others are read all the same.
//
// spec: 08-export M4
func TestABrokenLineIsOneLine(t *testing.T) {
	file, payloads := export(t, testBatches(t))
	lines := strings.Split(strings.TrimSpace(string(file)), "\n")
	for name, c := range map[string]struct {
		line string
		want error
	}{
		"garbage":        {"\x00\xff garbage", ErrForm},
		"truncated":      {lines[2][:len(lines[2])/2], ErrForm},
		"another object": {`{"a":1}`, ErrForm},
		"huge":           {lines[2] + strings.Repeat(" ", MaxLine) + "x", ErrTooLong},
		"id":             {strings.Replace(lines[2], `"id":"`, `"id":"00`, 1), ErrForm},
		"other id":       {strings.Replace(lines[2], lines[2][7:71], lines[3][7:71], 1), ErrID},
		"not base64":     {strings.Replace(lines[2], `"header":"`, `"header":"*`, 1), ErrForm},
		"no proof":       {lines[2][:strings.Index(lines[2], `,"proof"`)] + "}", ErrForm},
		"trailing bits":  {strings.Replace(lines[2], `"path":"`, `"path":"AB==`, 1), ErrForm},
	} {
		spoiled := strings.Join([]string{lines[0], lines[1], c.line}, "\n") + "\n\n" + strings.Join(lines[3:], "\r\n")
		r := NewReader(strings.NewReader(spoiled))
		read := 0
		for {
			rec, err := r.Next()
			if err == io.EOF {
				break
			}
			var bad *LineError
			if errors.As(err, &bad) {
				if !errors.Is(err, c.want) || r.Line() != 3 {
					t.Errorf("%s: line %d: %v", name, r.Line(), err)
				}
				continue
			}
			must(t, err)
			if rec.Payload != nil {
				read++
			}
		}
		if read != len(payloads)-1 {
			t.Errorf("%s: %d of the other lines are read", name, read)
		}
	}
}

// spec: 08-export M5
func TestAHeadThatCannotBeUsedHasNoEvents(t *testing.T) {
	file, _ := export(t, testBatches(t))
	for name, c := range map[string]struct {
		old, new string
		want     error
	}{
		"version": {`"parley_export":1`, `"parley_export":2`, ErrVersion},
		"room":    {`"Lobby"`, `"attic"`, ErrForm},
		"no room": {`"room":"Lobby",`, ``, ErrForm},
		"network": {`"network_id":"01`, `"network_id":"02`, ErrForm},
		"log":     {`"log":"`, `"log":"0`, ErrForm},
	} {
		r := NewReader(strings.NewReader(strings.Replace(string(file), c.old, c.new, 1)))
		if _, err := r.Next(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := r.Next(); !errors.Is(err, ErrNoHead) {
			t.Errorf("%s: the event after it: %v", name, err)
		}
	}
}

// The greatest event, as the deepest of the largest batch, fits a line.
//
// spec: 08-export M2
func TestTheLargestEventFitsALine(t *testing.T) {
	payload := bytes.Repeat([]byte{'x'}, event.MaxContent-event.SaltSize)
	b, err := event.Seal(testHead.Log, testAuthor, 0, event.ID{}, []event.Draft{{HLC: 1, Kind: 1, Payload: payload}},
		func(m []byte) []byte { return ed25519.Sign(testKey, m) })
	must(t, err)
	const path, header = 8 * 44, 4 * event.MaxHeader / 3
	file, _ := export(t, []*event.Batch{b, testBatches(t)[0]})
	longest := 0
	for line := range bytes.Lines(file) {
		longest = max(longest, len(line))
	}
	if longest+path+header > MaxLine {
		t.Errorf("a line may take %d bytes", longest+path+header)
	}
}

// FuzzReader: whatever comes, lines are read or refused one by one, and what
// is read as an event is written again as the same event.
func FuzzReader(f *testing.F) {
	file, _ := export(f, testBatches(f))
	f.Add(file)
	f.Add([]byte("{\"parley_export\":1}\n{\"id\":\"\"}\n\n{\"end\":3}"))
	f.Fuzz(func(t *testing.T, file []byte) {
		r := NewReader(bytes.NewReader(file))
		for {
			rec, err := r.Next()
			var bad *LineError
			if errors.As(err, &bad) {
				continue
			}
			if err != nil {
				return
			}
			if rec.Payload == nil {
				continue
			}
			if b, err := event.Decode(rec.Payload); err == nil {
				rewrite(t, b)
			}
		}
	})
}

func rewrite(t *testing.T, b *event.Batch) {
	var out bytes.Buffer
	w := NewWriter(&out)
	must(t, w.Head(testHead))
	must(t, w.Event(b.Payload()))
	r := NewReader(&out)
	_, err := r.Next()
	must(t, err)
	rec, err := r.Next()
	must(t, err)
	again, err := event.Decode(rec.Payload)
	must(t, err)
	if again.Events[0].ID != b.Events[0].ID || again.Claim() != b.Claim() {
		t.Fatal("written again it is another event")
	}
}

// spec: 08-export M2
func TestLinesAtTheLimit(t *testing.T) {
	file, _ := export(t, testBatches(t))
	lines := strings.Split(string(file), "\n")
	padded := func(size int) string {
		return lines[0] + "\n" + lines[1] + strings.Repeat(" ", size-len(lines[1])) + "\n"
	}
	for size, want := range map[int]error{128 << 10: nil, 128<<10 + 1: ErrTooLong} {
		r := NewReader(strings.NewReader(padded(size)))
		_, err := r.Next()
		must(t, err)
		if rec, err := r.Next(); !errors.Is(err, want) || (rec.Payload == nil) != (want != nil) {
			t.Errorf("a line of %d bytes: %v", size, err)
		}
	}
}

// spec: 08-export M3
func TestKeysOfLaterVersionsArePassedOver(t *testing.T) {
	file, payloads := export(t, testBatches(t))
	later := strings.ReplaceAll(string(file), "{", `{"later":[{"x":1}],`)
	r := NewReader(strings.NewReader(later))
	read := 0
	for {
		rec, err := r.Next()
		if err == io.EOF {
			break
		}
		must(t, err)
		if rec.Payload != nil {
			if !bytes.Equal(rec.Payload, payloads[read]) {
				t.Errorf("event %d is not the same", read)
			}
			read++
		}
	}
	if read != len(payloads) {
		t.Errorf("%d of %d read", read, len(payloads))
	}
}
