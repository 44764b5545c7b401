package meta

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// licences are those that a library linked into Parley may have, each known by words of its text.
var licences = map[string]*regexp.Regexp{
	"Apache-2.0": regexp.MustCompile(`Apache License,?\s+Version 2\.0|www\.apache\.org/licenses/LICENSE-2\.0`),
	"MIT":        regexp.MustCompile(`Permission is hereby granted, free of charge`),
	"BSD":        regexp.MustCompile(`Redistribution and use in source and binary forms`),
	"MPL-2.0":    regexp.MustCompile(`Mozilla Public License,? [Vv]ersion 2\.0`),
	"ISC":        regexp.MustCompile(`Permission to use, copy, modify, and(/or)? distribute this software`),
	"zlib":       regexp.MustCompile(`provided 'as-is', without any express or implied`),
	"Unlicense":  regexp.MustCompile(`This is free and unencumbered software`),
	"CC0":        regexp.MustCompile(`CC0 1\.0 Universal`),
}

// refused is a title of a licence that binds whoever links it. MPL's text mentions the GPL in its
// body, so the title alone is looked at.
var refused = regexp.MustCompile(`(?m)^\s*GNU (AFFERO |LESSER )?GENERAL PUBLIC LICENSE`)

var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|unlicense)([.-].*)?$`)

// licenceOf names the licence found in a module's files; "" if there is none that we may link.
func licenceOf(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if e.IsDir() || !licenceFile.MatchString(e.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return "", err
		}
		if name := classify(string(text)); name != "" {
			return name, nil
		}
	}
	return "", nil
}

func classify(text string) string {
	if refused.MatchString(text) {
		return ""
	}
	for name, words := range licences {
		if words.MatchString(text) {
			return name
		}
	}
	return ""
}

// Every library that a program of ours links has a licence that leaves its users free to embed it.
func TestLicences(t *testing.T) {
	if _, err := os.ReadFile(filepath.Join(root(t), "go.sum")); err != nil { // so that a new module is no cached pass
		t.Fatal(err)
	}
	modules := linked(t)
	if len(modules) < 10 {
		t.Fatalf("only %d modules are linked: is this the whole list?", len(modules))
	}
	for path, dir := range modules {
		if name, err := licenceOf(dir); err != nil || name == "" {
			t.Errorf("%s: no licence known to be free to link (%v)", path, err)
		}
	}
}

// linked lists the modules of all packages that the module's own import, by path, with their folder.
func linked(t *testing.T) map[string]string {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-e", "-json=Module", "./...")
	cmd.Dir = root(t)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	dirs := make(map[string]string)
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct{ Module *struct{ Path, Dir string } }
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return dirs
		} else if err != nil {
			t.Fatal(err)
		}
		if p.Module != nil && p.Module.Path != module {
			dirs[p.Module.Path] = p.Module.Dir
		}
	}
}

func TestClassify(t *testing.T) {
	for text, want := range map[string]string{
		"MIT License\n\nPermission is hereby granted, free of charge, to any person":         "MIT",
		"\t\tGNU GENERAL PUBLIC LICENSE\n\t\tVersion 3":                                      "",
		"   GNU AFFERO GENERAL PUBLIC LICENSE\nPermission is hereby granted, free of charge": "",
		"Mozilla Public License Version 2.0\n … the GNU General Public License, Version 2.0": "MPL-2.0",
		"All rights reserved.": "",
	} {
		if got := classify(text); got != want {
			t.Errorf("%q is taken for %q, want %q", text, got, want)
		}
	}
}
