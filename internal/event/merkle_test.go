package event

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"testing"
)

// numbered returns n events whose IDs are SHA-256 of their number in 4 bytes.
func numbered(n int) []Event {
	events := make([]Event, n)
	for i := range events {
		events[i].ID = tagged("", binary.BigEndian.AppendUint32(nil, uint32(i)))
	}
	return events
}

func idsOf(events []Event) []ID {
	var out []ID
	for i := range events {
		out = append(out, events[i].ID)
	}
	return out
}

// Every root and every path is the one of the RFC's own recursive definition, and each
// path leads from its leaf to the root, and to no other place.
//
// spec: 03-events M29
func TestTreeIsTheOneOfTheRFC(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 33, 100, 128, 129, 255, 256} {
		events := numbered(n)
		root := merkleRoot(events)
		if root != slowRoot(idsOf(events)) {
			t.Fatalf("%d events: another root", n)
		}
		for i := range events {
			path := merklePath(nil, events, i)
			if !bytes.Equal(path, slowPath(i, idsOf(events))) || len(path) != 32*pathLen(i, n) {
				t.Fatalf("event %d of %d: another path", i, n)
			}
			if rootFromPath(leafHash(&events[i].ID), i, n, path) != root {
				t.Fatalf("event %d of %d: the path does not lead to the root", i, n)
			}
			if j := i ^ 1; j < n && pathLen(j, n) == pathLen(i, n) && rootFromPath(leafHash(&events[i].ID), j, n, path) == root {
				t.Fatalf("event %d of %d: proven at %d too", i, n, j)
			}
		}
	}
}

type merkleVector struct {
	Count int      `json:"count"`
	Root  string   `json:"root"`
	Index int      `json:"index"`
	Path  []string `json:"path"`
}

// spec: 03-events M29
func TestVectorsMerkle(t *testing.T) {
	var made []merkleVector
	for _, v := range [][2]int{{1, 0}, {2, 0}, {2, 1}, {3, 2}, {5, 4}, {7, 3}, {7, 6}, {100, 99}, {255, 254}, {256, 0}, {256, 255}} {
		events := numbered(v[0])
		root := slowRoot(idsOf(events))
		made = append(made, merkleVector{v[0], hex.EncodeToString(root[:]), v[1], hexes(slowPath(v[1], idsOf(events)))})
	}
	kept := keep(t, "merkle.json", vectorFile[merkleVector]{
		About: "Merkle roots and audit paths. The ID of event i is SHA-256 of i in 4 bytes, big-endian. docs/protocol/03-events.md",
		Fields: map[string]string{
			"count": "events in the batch", "root": "hex", "index": "an event, from 0", "path": "its audit path, hex, bottom first",
		},
		Vectors: made,
	})
	for _, v := range kept {
		root := merkleRoot(numbered(v.Count))
		if hex.EncodeToString(root[:]) != v.Root {
			t.Errorf("%d events: another root", v.Count)
		}
	}
}

func hexes(path []byte) []string {
	out := []string{}
	for i := 0; i < len(path); i += 32 {
		out = append(out, hex.EncodeToString(path[i:i+32]))
	}
	return out
}
