package audit

import (
	"slices"
	"strconv"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// Package tlog, which reads every hash that it needs again, is the judge.
func TestFrontierIsTheTree(t *testing.T) {
	var f frontier
	var stored []tlog.Hash
	read := tlog.HashReaderFunc(func(at []int64) (out []tlog.Hash, _ error) {
		for _, i := range at {
			out = append(out, stored[i])
		}
		return out, nil
	})
	for n := range int64(300) {
		want, err := tlog.TreeHash(n, read)
		if err != nil {
			t.Fatal(err)
		}
		again, err := readFrontier(n, read)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range []frontier{f, again} {
			if got, err := f.root(); err != nil || got != want {
				t.Fatalf("root of %d records: %v, %v, want %v", n, got, err, want)
			}
		}
		data := []byte(strconv.FormatInt(n, 10))
		hashes, err := tlog.StoredHashes(n, data, read)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.add(tlog.RecordHash(data), nil); !slices.Equal(got, hashes) {
			t.Fatalf("record %d: %v, want %v", n, got, hashes)
		}
		stored = append(stored, hashes...)
	}
}
