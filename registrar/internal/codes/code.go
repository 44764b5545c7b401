package codes

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"strings"
	"unicode"
)

// A code as people see it:
//
//	4RX0-9GQ2-…        7 groups of 4 characters of Crockford's base32
//	128 bits           random
//	 12 bits           the first of SHA-256("parley/code/check/1" ‖ the 128)
//
// The last 12 tell a typing mistake from a wrong code, except for one in 4,096,
// and say nothing that the code does not. What is kept is
// SHA-256("parley/code/1" ‖ the 128).
const (
	codeBytes = 16
	codeChars = 28
	groupSize = 4
	maxText   = 256 // bytes, with all that is ignored

	checkDomain = "parley/code/check/1"
	hashDomain  = "parley/code/1"
)

// crockford leaves out I, L, O and U: the first three look like digits and are
// taken for them.
var crockford = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// Code is a one-time code, a secret: printed by accident it does not show.
type Code struct{ secret [codeBytes]byte }

// String hides the code from logs. [Code.Text] shows it.
func (Code) String() string { return "(code)" }

// GoString hides the code too.
func (Code) GoString() string { return "codes.Code{}" }

// Text returns the code as it is handed to a person, in groups.
func (c Code) Text() string {
	text := c.chars()
	var b strings.Builder
	for i := 0; i < len(text); i += groupSize {
		if i > 0 {
			b.WriteByte('-')
		}
		b.WriteString(text[i : i+groupSize])
	}
	return b.String()
}

// chars returns the code without dashes. 18 bytes make 29 characters, of which
// the last holds nothing.
func (c Code) chars() string {
	sum := sha256.Sum256(append([]byte(checkDomain), c.secret[:]...))
	return crockford.EncodeToString(append(c.secret[:codeBytes:codeBytes], sum[0], sum[1]&0xf0))[:codeChars]
}

// Name returns the 8 hex digits by which the code is named in lists and in the
// audit log. They help nobody to find it.
func (c Code) Name() string { return c.hash().name() }

func (c Code) hash() hash { return sha256.Sum256(append([]byte(hashDomain), c.secret[:]...)) }

func (h hash) name() string { return hex.EncodeToString(h[:4]) }

// Parse reads a code as people type it: case, dashes and white space do not
// count, I and L are 1, O is 0, and full-width characters are taken too. The
// error is [ErrMistyped], which shows nothing of the text.
func Parse(text string) (Code, error) {
	if len(text) > maxText {
		return Code{}, ErrMistyped
	}
	raw, err := crockford.DecodeString(strings.Map(typed, text) + "0")
	if err != nil || len(raw) != codeBytes+2 {
		return Code{}, ErrMistyped
	}
	c := Code{[codeBytes]byte(raw)}
	if c.chars() != strings.Map(typed, text) {
		return Code{}, ErrMistyped
	}
	return c, nil
}

// typed returns the character of the alphabet that a typed one stands for, -1
// for one that does not count, and others as they are.
func typed(r rune) rune {
	if unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) {
		return -1
	}
	if r >= '！' && r <= '～' { // full width
		r += '!' - '！'
	}
	switch r = unicode.ToUpper(r); r {
	case 'I', 'L':
		return '1'
	case 'O':
		return '0'
	default:
		return r
	}
}
