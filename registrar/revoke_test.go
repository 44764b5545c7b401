package registrar

import (
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/parley-chat/parley/internal/audit"
)

// records are the records of a revocation of subject in registrar i's audit log.
func (c *country) revocations(i int, subject string) (n int) {
	c.t.Helper()
	lines, err := audit.NewReader(filepath.Join(c.Dir(i), "audit"), 0)
	if err != nil {
		c.t.Fatal(err)
	}
	defer lines.Close()
	for {
		line, err := lines.Line()
		if err != nil {
			return n
		}
		if r, err := audit.ParseRecord(line); err == nil && r.Op == audit.OpRevoke && r.Subject == subject && r.Detail == "lost" {
			n++
		}
	}
}

// A registrar that is killed between the registry and the audit log has the
// revocation in both when it runs again, once; and nobody else records it.
func TestARevocationIsRecordedAfterACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCountry(t, 2, 2, nil)
		first, second := c.Nodes[2].ID(), c.Nodes[3].ID()
		if _, err := c.offices[0].Revoke(t.Context(), first, "lost"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.offices[0].chat.Registry().Revoke(t.Context(), second, "lost"); err != nil { // killed here
			t.Fatal(err)
		}
		if n := c.revocations(0, second.String()); n != 0 {
			t.Fatalf("recorded %d times before", n)
		}
		for range 2 {
			c.Restart(0)
			c.Restart(1)
		}
		for _, p := range []string{first.String(), second.String()} {
			if n := c.revocations(0, p); n != 1 {
				t.Errorf("recorded %d times", n)
			}
			if n := c.revocations(1, p); n != 0 {
				t.Errorf("recorded %d times by who has not done it", n)
			}
		}
	})
}
