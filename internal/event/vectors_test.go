package event

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

// The vectors in testdata are for other implementations. They change only by
// go test ./internal/event -run Vectors -update, and the difference is reviewed.
var update = flag.Bool("update", false, "rewrite the vectors in testdata")

// vectorFile is the form of every file: what it is, what each name means, the vectors.
type vectorFile[V any] struct {
	About   string            `json:"about"`
	Fields  map[string]string `json:"fields"`
	Vectors []V               `json:"vectors"`
}

// keep compares the file with what the code makes today, or writes it when asked, and
// returns what the file says.
func keep[V any](t *testing.T, name string, want vectorFile[V]) []V {
	t.Helper()
	path := filepath.Join("testdata", name)
	made := encodeJSON(t, want)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, made, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kept, made) {
		t.Fatalf("%s differs from what the code makes: a change of the format, or run with -update", path)
	}
	var file vectorFile[V]
	if err := json.Unmarshal(kept, &file); err != nil {
		t.Fatal(err)
	}
	return file.Vectors
}

func encodeJSON(t *testing.T, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
