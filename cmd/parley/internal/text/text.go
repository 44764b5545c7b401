// Package text speaks to people in their language: English, or Simplified
// Chinese where LANG asks for it.
//
// The English text stands in the code and is the key of its translation:
//
//	p := text.New(os.Getenv)
//	p.T("joined %s", room)        // 已加入 大厅
//
// Faults are translated by their code. A test reads the source and the list of
// codes and fails for whatever lacks a translation. What programs read, JSON
// above all, never passes through here.
package text

import (
	"fmt"
	"strings"

	"golang.org/x/text/language"

	"github.com/parley-chat/parley/internal/fault"
)

var matcher = language.NewMatcher([]language.Tag{language.English, language.SimplifiedChinese})

// Printer translates into one language. The zero value speaks English.
type Printer struct {
	messages map[string]string
	faults   map[string]said
}

// said is a fault's text in English, as it was declared, and translated.
type said struct{ what, do, zhWhat, zhDo string }

// New returns the printer for the locale that LC_ALL, LC_MESSAGES or LANG
// names, in this order.
func New(getenv func(string) string) *Printer {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if locale := getenv(name); locale != "" {
			return forLocale(locale)
		}
	}
	return &Printer{}
}

func forLocale(locale string) *Printer {
	locale, _, _ = strings.Cut(locale, ".")
	locale, _, _ = strings.Cut(locale, "@")
	tag, err := language.Parse(locale)
	if err != nil { // "C", "POSIX"
		return &Printer{}
	}
	if _, i, confidence := matcher.Match(tag); i == 1 && confidence > language.No {
		return &Printer{messages: chinese, faults: chineseFaults}
	}
	return &Printer{}
}

// T returns the translation of an English format, filled with args.
func (p *Printer) T(format string, args ...any) string {
	if t, ok := p.messages[format]; ok {
		format = t
	}
	if len(args) == 0 {
		return format
	}
	return fmt.Sprintf(format, args...)
}

// Fault returns a fault's one line: what happened: what to do (code). What a
// fault tells in particular stays as it is, in parentheses.
func (p *Printer) Fault(f *fault.Error) string {
	t := *f
	if s, ok := p.faults[f.Code]; ok {
		t.What = translated(f.What, s.what, s.zhWhat)
		t.Do = translated(f.Do, s.do, s.zhDo)
	}
	t.Do = byFlag.Replace(t.Do)
	return t.Error()
}

// byFlag names the flags that do what the library, which knows of none, advises.
var byFlag = strings.NewReplacer(
	"another directory", "another --dir", "a fresh directory", "a fresh --dir",
	"another address to listen on, or none for the default", "another --listen address, or leave it out",
)

func translated(text, declared, translation string) string {
	if text == "" || text == declared {
		return translation
	}
	if translation == "" {
		return text
	}
	return translation + "（" + text + "）"
}

// Said is a fault whose words are already in the person's language.
type Said struct{ Fault *fault.Error }

func (s Said) Error() string { return s.Fault.Error() }

// Unwrap makes errors.Is and errors.As find the fault.
func (s Said) Unwrap() error { return s.Fault }
