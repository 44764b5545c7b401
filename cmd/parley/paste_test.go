package main

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestPastedTextActsAsNoKey(t *testing.T) {
	for in, want := range map[string]string{
		"typed\r\t\x1b[A\x1bb\x03":                         "typed\r\t\x1b[A\x1bb\x03",
		"\x1b[200~one\r\ttwo\r\nthree\n\n/quit\x1b[201~\r": "one␤␉two␤three␤␤/quit\r",
		"a\x1b[200~\x1b[A\x03\x7f\x1b[200~b\x1b[201~c":     "a[A[200~bc",
		"\x1b\x1b[200~你\r好\x1b\x1b[201~\r":                 "\x1b你␤好\r",
		"\x1b[201~\x1b[20~":                                "\x1b[201~\x1b[20~",
	} {
		for name, wrap := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader,
		} {
			got, err := io.ReadAll(&pasteReader{r: wrap(strings.NewReader(in))})
			if err != nil || string(got) != want {
				t.Errorf("%q, %s: %q %v, want %q", in, name, got, err, want)
			}
		}
	}
	if got := unmark.Replace("one␤␉two"); got != "one\n\ttwo" {
		t.Errorf("sent: %q", got)
	}
}
