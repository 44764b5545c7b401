package show

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// replacement stands for a character that could fool a terminal or its reader.
const replacement = '\uFFFD'

// Clean makes text from others safe to show on one line: control characters
// and escape sequences, characters that turn the reading direction or are
// invisible, and bytes that are no text are replaced. Line breaks and tabs
// become spaces.
func Clean(s string) string { return strings.Map(cleanRune, toValid(s)) }

// toValid replaces bytes that are not UTF-8.
func toValid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, string(replacement))
}

func cleanRune(r rune) rune {
	switch {
	case r == '\n' || r == '\r' || r == '\t' || r == '\u2028' || r == '\u2029':
		return ' '
	case unicode.IsControl(r), deceives(r):
		return replacement
	default:
		return r
	}
}

// deceives reports characters that change how their surroundings read: bidi
// controls, invisible tags and fillers, and what has no meaning for all. The
// joiners of emoji and of Indic and Persian words stay.
func deceives(r rune) bool {
	switch {
	case r == '\u200c' || r == '\u200d':
		return false
	case unicode.Is(unicode.Cf, r):
		return true
	case r == '\u115f' || r == '\u1160' || r == '\u3164' || r == '\uffa0':
		return true // fillers that show as nothing
	case unicode.Is(unicode.Co, r), unicode.Is(unicode.Cs, r):
		return true
	default:
		return false
	}
}

// Text makes a message safe to show; its further lines are set off, so that
// none can pass for a line of somebody else.
func Text(s string) string {
	s = strings.ReplaceAll(strings.TrimRight(toValid(s), "\r\n"), "\r\n", "\n")
	if !strings.Contains(s, "\n") {
		return Clean(s)
	}
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = Clean(lines[i])
	}
	return strings.Join(lines, "\n      | ")
}

// Width returns how many columns of a terminal s takes.
func Width(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case wide(r):
			n += 2
		default:
			n++
		}
	}
	return n
}

func wide(r rune) bool {
	k := width.LookupRune(r).Kind()
	return k == width.EastAsianWide || k == width.EastAsianFullwidth
}

// ShortID shortens an id for people: its end, which is what a PEER argument
// takes.
func ShortID(id string) string {
	const keep = 8
	if len(id) <= keep {
		return id
	}
	return "…" + id[len(id)-keep:]
}
