package delivery

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/parley-chat/parley/internal/event"
)

func TestRequestsRoundTrip(t *testing.T) {
	for _, want := range []*request{
		{log: event.LogID{1}},
		{log: event.LogID{1}, limit: maxLimit, want: make([]event.ID, maxWant), have: make([]event.ID, maxHave)},
		{log: event.LogID{1}, limit: 7, have: []event.ID{{2}}},
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

func TestMalformedRequestsAreRefused(t *testing.T) {
	good := (&request{log: event.LogID{1}, limit: 5}).encode()
	log := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), make([]byte, 32))
	for name, b := range map[string][]byte{
		"empty":         {},
		"no log":        appendIDs(nil, 2, []event.ID{{1}}),
		"log of zeroes": log,
		"log twice":     append(bytes.Clone(good[:34]), good...),
		"cut":           good[:20],
		"unknown field": protowire.AppendVarint(protowire.AppendTag(bytes.Clone(good), 5, protowire.VarintType), 1),
		"limit":         (&request{log: event.LogID{1}, limit: maxLimit + 1}).encode(),
		"too many":      (&request{log: event.LogID{1}, want: make([]event.ID, maxWant+1)}).encode(),
		"half an id":    protowire.AppendBytes(protowire.AppendTag(bytes.Clone(good[:34]), 2, protowire.BytesType), make([]byte, 16)),
		"other order":   append(bytes.Clone(good[34:]), good[:34]...),
	} {
		if r, err := decodeRequest(b); !errors.Is(err, errRequest) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

func FuzzDecodeRequest(f *testing.F) {
	f.Add((&request{log: event.LogID{1}, limit: 5, want: []event.ID{{2}}, have: []event.ID{{3}, {4}}}).encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decodeRequest(data)
		if err != nil {
			return
		}
		if len(r.want) > maxWant || len(r.have) > maxHave || r.limit > maxLimit {
			t.Fatalf("over a limit: %+v", r)
		}
		again, err := decodeRequest(r.encode())
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Fatalf("read differently the second time: %+v, %v", again, err)
		}
	})
}
