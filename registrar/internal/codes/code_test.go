package codes

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func drawCode(t *rapid.T) (c Code) {
	copy(c.secret[:], rapid.SliceOfN(rapid.Byte(), codeBytes, codeBytes).Draw(t, "code"))
	return c
}

// One code, made by hand as the form says: a change would void all printed ones.
func TestForm(t *testing.T) {
	c := Code{[16]byte{0: 0xff, 15: 0x01}}
	if got, want := c.Text(), "ZW00-0000-0000-0000-0000-0000-051G"; got != want {
		t.Fatalf("%s, want %s", got, want)
	}
	form := regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){6}$`)
	rapid.Check(t, func(t *rapid.T) {
		c := drawCode(t)
		if !form.MatchString(c.Text()) {
			t.Fatal(c.Text())
		}
		if back, err := Parse(c.Text()); err != nil || back != c {
			t.Fatalf("%v, %v", back, err)
		}
	})
}

// However people type it, it is the same code.
func TestAsPeopleType(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawCode(t)
		var b strings.Builder
		for _, r := range c.chars() {
			b.WriteString(rapid.SampledFrom([]string{"", "", "", "-", " ", "–", "\t", "\n", "－", "　"}).Draw(t, "between"))
			switch rapid.IntRange(0, 3).Draw(t, "how") {
			case 1:
				r = []rune(strings.ToLower(string(r)))[0]
			case 2:
				r += '！' - '!'
			case 3:
				if like := map[rune]string{'0': "oO", '1': "iIlL"}[r]; like != "" {
					r = rune(rapid.SampledFrom([]byte(like)).Draw(t, "like"))
				}
			}
			b.WriteRune(r)
		}
		if back, err := Parse(b.String()); err != nil || back != c {
			t.Fatalf("%q: %v, %v", b.String(), back, err)
		}
	})
}

// A wrong character and two that changed places are told from a wrong code,
// but for one in 4,096.
func TestTypingMistakes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	missed, tried := 0, 0
	try := func(text []byte) {
		tried++
		if _, err := Parse(string(text)); err == nil {
			missed++
		} else if !errors.Is(err, ErrMistyped) {
			t.Fatal(err)
		}
	}
	for range 100 {
		var c Code
		for i := range c.secret {
			c.secret[i] = byte(random.Uint32())
		}
		good := []byte(c.chars())
		for i := range good {
			for _, other := range []byte(alphabet) {
				if other != good[i] {
					try(slices.Replace(slices.Clone(good), i, i+1, other))
				}
			}
			if i > 0 && good[i-1] != good[i] {
				try(slices.Replace(slices.Clone(good), i-1, i+1, good[i], good[i-1]))
			}
		}
	}
	if tried < 80_000 || missed > tried/2000 {
		t.Errorf("%d mistakes of %d went unnoticed", missed, tried)
	}
}

func TestNoCode(t *testing.T) {
	good := Code{[16]byte{7}}.Text()
	for _, text := range []string{
		"", "-", good[1:], good[:len(good)-1], good + "0", good + good, "U" + good[1:], good[:3] + "é" + good[4:],
		strings.Repeat(" ", 300) + good, good[:4] + "\x00" + good[5:], good + "=", good + "\xff",
	} {
		if c, err := Parse(text); !errors.Is(err, ErrMistyped) || c != (Code{}) {
			t.Errorf("%q: %v, %v", text, c, err)
		}
	}
}

func TestCodesDoNotShowByAccident(t *testing.T) {
	c := Code{[16]byte{0xab, 0xcd, 0xef}}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("made", "code", c, "codes", []Code{c})
	shown := fmt.Sprintf("%v %+v %#v %s %q %v", c, c, c, c, c, []Code{c}) + log.String()
	for _, secret := range []string{c.Text()[:4], "abcd", "171", "ABCD"} {
		if strings.Contains(shown, secret) {
			t.Errorf("%q is shown in %s", secret, shown)
		}
	}
	_, err := Parse(c.Text()[:20])
	if strings.Contains(err.Error(), c.Text()[:4]) {
		t.Errorf("an error shows it: %v", err)
	}
}

// FuzzParse: what is taken for a code is one, and printing it gives the same.
func FuzzParse(f *testing.F) {
	f.Add(Code{[16]byte{1, 2, 3}}.Text())
	f.Add("OIL0-oil1")
	f.Add("４ＲＸ０－９ＧＱ２")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		if back, err := Parse(c.Text()); err != nil || back != c {
			t.Errorf("%q: %s, %v", text, c.Text(), err)
		}
	})
}
