package delivery

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/parley-chat/parley/internal/event"
)

// spec: 06-sync M4
func TestSyncFramesRoundTrip(t *testing.T) {
	for _, want := range []syncRequest{{log: event.LogID{1}}, {event.LogID{1}, 1 << 40}} {
		b := want.encode()
		if got, err := decodeSyncRequest(b); err != nil || got != want || len(b) > maxSyncRequest {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	for _, want := range []syncAnswer{{}, {1 << 63, make([]event.ID, maxToldHeads), true, 1 << 63}, {count: 3}} {
		b := want.encode()
		if got, err := decodeSyncAnswer(b); err != nil || !reflect.DeepEqual(got, want) || len(b) >= maxSyncAnswer {
			t.Errorf("got %+v, %v", got, err)
		}
	}
}

// spec: 06-sync M2
func TestMalformedSyncFramesAreRefused(t *testing.T) {
	good := (&syncRequest{event.LogID{1}, 7}).encode()
	for name, b := range map[string][]byte{
		"empty":      {},
		"no log":     {2 << 3, 7},
		"zero floor": append(bytes.Clone(good[:34]), 2<<3, 0),
		"unknown":    append(bytes.Clone(good), 3<<3, 1),
		"floor as b": append(bytes.Clone(good[:34]), 2<<3|2, 0),
		"log as n":   {1 << 3, 7},
	} {
		if r, err := decodeSyncRequest(b); !errors.Is(err, errRequest) {
			t.Errorf("request, %s: %+v, %v", name, r, err)
		}
	}
	for name, b := range map[string][]byte{
		"zero count":      {4 << 3, 0},
		"complete 2":      {3 << 3, 2},
		"unknown":         {5 << 3, 1},
		"order":           {3 << 3, 1, 1 << 3, 1},
		"floor as b":      {1<<3 | 2, 0},
		"count as b":      {4<<3 | 2, 0},
		"nine heads":      appendIDs(nil, 2, make([]event.ID, maxToldHeads+1)),
		"heads as number": {2 << 3, 1},
	} {
		if a, err := decodeSyncAnswer(b); !errors.Is(err, errRequest) {
			t.Errorf("answer, %s: %+v, %v", name, a, err)
		}
	}
}

// spec: 06-sync M2
func FuzzDecodeSyncRequest(f *testing.F) {
	f.Add((&syncRequest{event.LogID{1}, 7}).encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, err := decodeSyncRequest(data); err == nil && !bytes.Equal(r.encode(), data) {
			t.Fatalf("%x is written as %x", data, r.encode())
		}
	})
}

// spec: 06-sync M4
func FuzzDecodeSyncAnswer(f *testing.F) {
	f.Add((&syncAnswer{1, []event.ID{{2}}, true, 3}).encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		if a, err := decodeSyncAnswer(data); err == nil && !bytes.Equal(a.encode(), data) {
			t.Fatalf("%x is written as %x", data, a.encode())
		}
	})
}
