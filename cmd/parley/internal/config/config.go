// Package config lays a command's settings over each other: a flag before the
// environment variable PARLEY_<FLAG> before the key <flag> of DIR/config.json
// before the default.
//
// It works on the flags themselves, so that each setting is declared once, as
// a flag, and every command reads it there.
package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// FileName is the file's name in the data directory.
const FileName = "config.json"

// maxFile bounds the file, in bytes.
const maxFile = 1 << 20

// A BadFile error says that the file as a whole cannot be used.
type BadFile struct {
	Path string
	Key  string // the unknown key, if that is the reason
	Err  error  // nil for an unknown key
}

func (e *BadFile) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("%s: unknown key %q", e.Path, e.Key)
	}
	return e.Path + ": " + e.Err.Error()
}

// Unwrap returns what is wrong.
func (e *BadFile) Unwrap() error { return e.Err }

// A BadValue error says which setting has, outside the flags, a value that it
// cannot have.
type BadValue struct {
	Where string // the variable, or file and key
	Value string
}

func (e *BadValue) Error() string { return fmt.Sprintf("%s: it cannot be %s", e.Where, e.Value) }

// EnvName returns the environment variable of a flag: no-mdns is
// PARLEY_NO_MDNS.
func EnvName(flag string) string {
	return "PARLEY_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// Read reads the file of a data directory: a JSON object whose keys are among
// known. A missing file is an empty one.
func Read(dir string, known []string) (map[string]json.RawMessage, error) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, nil // for the node to complain about, or to make
	}
	path := filepath.Join(dir, FileName)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &BadFile{Path: path, Err: err}
	}
	defer f.Close()
	values, err := decode(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, &BadFile{Path: path, Err: err}
	}
	for key := range values {
		if !slices.Contains(known, key) {
			return nil, &BadFile{Path: path, Key: key}
		}
	}
	return values, nil
}

func decode(r io.Reader) (map[string]json.RawMessage, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, errors.New("larger than 1 MiB")
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(data, &values); err != nil {
		return nil, err
	}
	return values, nil
}

// Apply sets every flag that was not given, and is not in skip, from the
// environment or else from the file's values. An empty variable counts as
// unset.
func Apply(flags *pflag.FlagSet, getenv func(string) string, file map[string]json.RawMessage, path string, skip ...string) error {
	var first error
	flags.VisitAll(func(f *pflag.Flag) {
		if first != nil || f.Changed || slices.Contains(skip, f.Name) {
			return
		}
		if v := getenv(EnvName(f.Name)); v != "" {
			if !set(f, fromEnv(f, v)) {
				first = &BadValue{EnvName(f.Name), v}
			}
		} else if raw, ok := file[f.Name]; ok {
			if values, ok := fromJSON(f, raw); !ok || !set(f, values) {
				first = &BadValue{path + ": " + f.Name, string(raw)}
			}
		}
	})
	return first
}

// isList reports whether a flag may be given several times.
func isList(f *pflag.Flag) bool {
	_, ok := f.Value.(pflag.SliceValue)
	return ok
}

// fromEnv splits the value of a list at commas.
func fromEnv(f *pflag.Flag, v string) []string {
	if !isList(f) {
		return []string{v}
	}
	parts := strings.Split(v, ",")
	for i, p := range parts {
		parts[i] = strings.TrimSpace(p)
	}
	return slices.DeleteFunc(parts, func(p string) bool { return p == "" })
}

// fromJSON takes a string, number or boolean, and for a list an array of
// strings.
func fromJSON(f *pflag.Flag, raw json.RawMessage) ([]string, bool) {
	if isList(f) {
		var values []string
		err := json.Unmarshal(raw, &values)
		return values, err == nil && values != nil
	}
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return nil, false
	}
	switch v := v.(type) {
	case string:
		return []string{v}, true
	case bool, float64:
		return []string{string(raw)}, true
	default:
		return nil, false
	}
}

// set reports whether the flag could take the values.
func set(f *pflag.Flag, values []string) bool {
	if list, ok := f.Value.(pflag.SliceValue); ok {
		f.Changed = list.Replace(values) == nil
		return f.Changed
	}
	for _, v := range values {
		if f.Value.Set(v) != nil {
			return false
		}
		f.Changed = true
	}
	return true
}
