package delivery

import (
	"bufio"
	"bytes"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/parley-chat/parley/internal/event"
)

// spec: 04-delivery M11
func TestRequestsRoundTrip(t *testing.T) {
	for _, want := range []*request{
		{log: event.LogID{1}, want: []event.ID{{2}}},
		{log: event.LogID{1}, want: make([]event.ID, maxWant)},
	} {
		b := want.encode()
		if len(b) > maxRequest {
			t.Errorf("%d bytes, more than %d", len(b), maxRequest)
		}
		got, err := decodeRequest(b)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v", got, err)
		}
	}
}

// spec: 04-delivery M11
func TestMalformedRequestsAreRefused(t *testing.T) {
	good := (&request{log: event.LogID{1}, want: []event.ID{{2}}}).encode()
	log := good[:34]
	varint := protowire.AppendVarint(protowire.AppendTag(nil, 3, protowire.VarintType), 1)
	for name, b := range map[string][]byte{
		"empty":         {},
		"no log":        appendIDs(nil, 2, []event.ID{{1}}),
		"nothing asked": log,
		"log of zeroes": (&request{want: []event.ID{{1}}}).encode(),
		"log twice":     append(bytes.Clone(log), good...),
		"cut":           good[:20],
		"unknown field": append(bytes.Clone(good), varint...),
		"too many":      (&request{log: event.LogID{1}, want: make([]event.ID, maxWant+1)}).encode(),
		"half an id":    protowire.AppendBytes(protowire.AppendTag(bytes.Clone(log), 2, protowire.BytesType), make([]byte, 16)),
		"other order":   append(bytes.Clone(good[34:]), log...),
		"long length":   append([]byte{1<<3 | 2, 0xa0, 0}, good[2:]...),
		"another type":  {1 << 3, 1},
	} {
		if r, err := decodeRequest(b); !errors.Is(err, errRequest) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

// spec: 04-delivery M12
func FuzzDecodeRequest(f *testing.F) {
	f.Add((&request{log: event.LogID{1}, want: []event.ID{{2}}}).encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decodeRequest(data)
		if err != nil {
			return
		}
		if len(r.want) > maxWant {
			t.Fatalf("over a limit: %+v", r)
		}
		if !bytes.Equal(r.encode(), data) {
			t.Fatalf("%x is written as %x", data, r.encode())
		}
	})
}

// What is served are the batches that hold the wanted events, each once; what
// is unknown or of another log is passed over, and costs who asks.
//
// spec: 04-delivery M14, M16
func TestWantedBatchesAreServedOnce(t *testing.T) {
	a := newAuthor(1)
	b1, b2 := a.write(t, testTime, 3), a.write(t, testTime.Add(time.Second), 2)
	m := newMemory(b1, b2)
	want := []event.ID{b1.Events[0].ID, {9}, b1.Events[2].ID, b2.Events[1].ID}
	got, cost, err := collect(m, &request{testLog, want})
	if err != nil || len(got) != 2 || !bytes.Equal(got[0], b1.Payload()) || !bytes.Equal(got[1], b2.Payload()) {
		t.Errorf("%d batches, %v", len(got), err)
	}
	if cost != len(b1.Payload())+len(b2.Payload())+unknownCost {
		t.Errorf("costs %d", cost)
	}
	if got, cost, _ = collect(m, &request{event.LogID{2}, want}); len(got) != 0 || cost != 4*unknownCost {
		t.Errorf("of another log: %d batches, costs %d", len(got), cost)
	}
}

// spec: 04-delivery M15
func TestAReplyIsBounded(t *testing.T) {
	a, m := newAuthor(1), newMemory()
	var want []event.ID
	for range maxWant {
		b := a.big(t, 100_000)
		_, _ = m.Append(t.Context(), b, false)
		want = append(want, tail(b))
	}
	got, _, err := collect(m, &request{testLog, want})
	size := 0
	for _, p := range got {
		size += len(p)
	}
	if err != nil || size < maxReplySize || size > maxReplySize+event.MaxBatchBytes {
		t.Errorf("%d bytes, %v", size, err)
	}
}

// A reply ends with the payload that reaches its limit, and holds nothing but
// what was asked for: whoever sends more keeps no asker busy.
//
// spec: 04-delivery M20
func TestRepliesOfTooMuchAreBrokenOff(t *testing.T) {
	a := newAuthor(1)
	var want []event.ID
	var frames [][]byte
	size, enough := 0, 0
	for range 12 {
		b := a.big(t, 100_000)
		want, frames = append(want, tail(b)), append(frames, b.Payload())
		if size < maxReplySize {
			enough++
		}
		size += len(b.Payload())
	}
	read := func(want []event.ID, frames ...[]byte) (n int, full bool, err error) {
		in := bufio.NewReader(bytes.NewReader(framed(slices.Concat(frames, [][]byte{nil})...)))
		full, err = (&Log{id: testLog}).readReply(in, want, func(*event.Batch) error { n++; return nil })
		return n, full, err
	}
	if n, full, err := read(want, frames[:enough]...); n != enough || !full || err != nil {
		t.Errorf("a full reply: %d of %d, full %t, %v", n, enough, full, err)
	}
	if n, _, err := read(want, frames[:enough+1]...); n != enough || !errors.Is(err, errReply) {
		t.Errorf("one more: %d, %v", n, err)
	}
	if n, _, err := read(want[:1], frames[0], frames[1]); n != 1 || !errors.Is(err, errReply) {
		t.Errorf("what was not asked for: %d, %v", n, err)
	}
	if n, _, err := read(want[:1], frames[0], frames[0]); n != 1 || !errors.Is(err, errReply) {
		t.Errorf("the same twice: %d, %v", n, err)
	}
}

// spec: 04-delivery M21
func TestAskedInVainIsAskedEverMoreRarely(t *testing.T) {
	var failed try
	now := testTime
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600} {
		failed = failed.again(now)
		if got := failed.next.Sub(now); got != want*time.Second {
			t.Errorf("waits %v, not %v", got, want*time.Second)
		}
		now = failed.next
	}
}
