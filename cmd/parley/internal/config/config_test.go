package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

type settings struct {
	name  string
	limit uint32
	light bool
	join  []string
}

func flags() (*settings, *pflag.FlagSet) {
	s, f := &settings{}, pflag.NewFlagSet("", pflag.ContinueOnError)
	f.StringVar(&s.name, "name", "default", "")
	f.Uint32Var(&s.limit, "limit", 50, "")
	f.BoolVar(&s.light, "no-light", false, "")
	f.StringArrayVar(&s.join, "join", nil, "")
	return s, f
}

var known = []string{"name", "limit", "no-light", "join"}

func env(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

func write(t *testing.T, content string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, FileName), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestFlagBeforeEnvironmentBeforeFileBeforeDefault(t *testing.T) {
	file := `{"name": "file", "limit": 7, "no-light": true, "join": ["a", "b,c"]}`
	vars := map[string]string{"PARLEY_NAME": "env", "PARLEY_LIMIT": "8", "PARLEY_JOIN": "x, y"}
	cases := []struct {
		what string
		file string
		vars map[string]string
		args []string
		want settings
	}{
		{"default", `{}`, nil, nil, settings{"default", 50, false, nil}},
		{"file", file, nil, nil, settings{"file", 7, true, []string{"a", "b,c"}}},
		{"environment", file, vars, nil, settings{"env", 8, true, []string{"x", "y"}}},
		{"flag", file, vars, []string{"--name=flag", "--join=z", "--no-light=false"}, settings{"flag", 8, false, []string{"z"}}},
		{"empty variable", file, map[string]string{"PARLEY_NAME": ""}, nil, settings{"file", 7, true, []string{"a", "b,c"}}},
		{"number as text", `{"limit": "9"}`, nil, nil, settings{"default", 9, false, nil}},
	}
	for _, c := range cases {
		s, f := flags()
		if err := f.Parse(c.args); err != nil {
			t.Fatal(err)
		}
		values, err := Read(write(t, c.file), known)
		if err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		if err := Apply(f, env(c.vars), values, FileName); err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		if s.name != c.want.name || s.limit != c.want.limit || s.light != c.want.light || !slices.Equal(s.join, c.want.join) {
			t.Errorf("%s: got %+v, want %+v", c.what, *s, c.want)
		}
	}
}

func TestSkippedFlagsAreTheCommandLinesAlone(t *testing.T) {
	s, f := flags()
	if err := Apply(f, env(map[string]string{"PARLEY_NAME": "env"}), nil, FileName, "name"); err != nil || s.name != "default" {
		t.Errorf("got %q, %v", s.name, err)
	}
}

func TestBadFiles(t *testing.T) {
	for content, want := range map[string]string{
		`{"nmae": "ada"}`: `unknown key "nmae"`,
		`{"name": "ada"`:  "unexpected end",
		`["name"]`:        "cannot unmarshal",
		``:                "unexpected end",
		`{"name": "` + strings.Repeat("a", maxFile) + `"}`: "larger than 1 MiB",
	} {
		_, err := Read(write(t, content), known)
		var bad *BadFile
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: got %v, want %s", content, err, want)
		}
	}
	if values, err := Read(t.TempDir(), known); values != nil || err != nil {
		t.Errorf("no file: %v, %v", values, err)
	}
}

func TestBadValues(t *testing.T) {
	for content, where := range map[string]string{
		`{"limit": -1}`:         "config.json: limit",
		`{"limit": "many"}`:     "config.json: limit",
		`{"limit": null}`:       "config.json: limit",
		`{"name": ["a"]}`:       "config.json: name",
		`{"join": "a"}`:         "config.json: join",
		`{"join": [1]}`:         "config.json: join",
		`{"join": null}`:        "config.json: join",
		`{"no-light": "maybe"}`: "config.json: no-light",
	} {
		_, f := flags()
		values, err := Read(write(t, content), known)
		if err != nil {
			t.Fatal(err)
		}
		var bad *BadValue
		if err := Apply(f, env(nil), values, FileName); !errors.As(err, &bad) || bad.Where != where {
			t.Errorf("%s: %v", content, err)
		}
	}
	_, f := flags()
	var bad *BadValue
	err := Apply(f, env(map[string]string{"PARLEY_NO_LIGHT": "maybe"}), nil, FileName)
	if !errors.As(err, &bad) || bad.Where != "PARLEY_NO_LIGHT" || bad.Value != "maybe" {
		t.Errorf("a bad variable: %v", err)
	}
}
