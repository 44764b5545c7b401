package main

import (
	"fmt"
	"strings"
)

// note tells the person something beside the output.
func (a *app) note(format string, args ...any) error {
	_, err := fmt.Fprintln(a.err, a.text.T(format, args...))
	return err
}

func (a *app) yesNo(b bool) string {
	if b {
		return a.text.T("yes")
	}
	return a.text.T("no")
}

// dirFlag is what a hint's command needs to mean this directory; nothing for
// the default one.
func (a *app) dirFlag() string {
	if dir, err := defaultDir(a.getenv); err == nil && dir == a.dir {
		return ""
	}
	return " --dir " + quote(a.dir)
}

// quote makes a word safe to paste into a shell.
func quote(word string) string {
	plain := strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:@%,=")
	if plain == "" && word != "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// orEmpty makes a list of nothing print as [].
func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
