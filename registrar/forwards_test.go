package registrar

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/internal/audit"
)

// Each message of others that a registrar keeps and hands on is in its audit log, by
// id and size; its own are not, nor what is said, nor where. After a restart it goes
// on where it was.
//
// spec: 12-audit M12
func TestMessagesHandedOnAreRecorded(t *testing.T) {
	m := newMinistry(t)
	there := openChat(t, m.member())
	const name = "secret-room-name"
	here, err := m.chat.Join(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	room, err := there.Join(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	own, err := here.Send(t.Context(), chat.Text("of the registrar"))
	if err != nil {
		t.Fatal(err)
	}
	private, err := there.Direct(m.node.ID()).Send(t.Context(), chat.Text("to the registrar alone"))
	if err != nil {
		t.Fatal(err)
	}
	send := func(n int) (ids []string) {
		for i := range n {
			id, err := room.Send(t.Context(), chat.Text(fmt.Sprint("what is said ", i)))
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id.String())
		}
		return ids
	}
	all := append(send(40), m.oneMore(send)...)
	for _, id := range all {
		m.awaits(func(rec audit.Record) bool {
			return rec.Op == audit.OpForward && rec.Actor == "" && rec.Size > 16 && (rec.Subject == id || strings.Contains(rec.Detail, id+":"))
		})
	}
	log := m.auditText()
	for _, secret := range []string{name, "what is said", own.String(), private.String()} {
		if bytes.Contains(log, []byte(secret)) {
			t.Errorf("the audit log holds %q", secret)
		}
	}
	m.goesOnAfterARestart(send)
}

func (m *ministry) oneMore(send func(int) []string) []string {
	m.t.Helper()
	ids := send(1)
	m.awaits(func(rec audit.Record) bool { return strings.Contains(rec.Subject+rec.Detail, ids[0]) })
	return append(ids, send(3)...)
}

// goesOnAfterARestart sends while no registrar runs on the node.
func (m *ministry) goesOnAfterARestart(send func(int) []string) {
	m.t.Helper()
	if err := m.Close(); err != nil {
		m.t.Fatal(err)
	}
	before := bytes.Count(m.auditText(), []byte(`"op":"forward"`))
	missed := send(5)
	for m.chat.LastCursor() < m.cursor()+5 {
		if _, _, err := m.chat.Relayed(m.t.Context(), m.cursor()); err != nil {
			m.t.Fatal(err)
		}
	}
	again, err := Open(m.node, m.chat, m.cfg)
	if err != nil {
		m.t.Fatal(err)
	}
	defer again.Close()
	m.Registrar = again
	for _, id := range missed {
		m.awaits(func(rec audit.Record) bool { return strings.Contains(rec.Subject+rec.Detail, id) })
	}
	if after := bytes.Count(m.auditText(), []byte(`"op":"forward"`)); after > before+5 {
		m.t.Errorf("%d records of messages became %d: what was recorded is again", before, after)
	}
	if err := again.Close(); err != nil {
		m.t.Error(err)
	}
}

func (m *ministry) cursor() uint64 {
	m.t.Helper()
	c, err := m.readCursor()
	if err != nil {
		m.t.Fatal(err)
	}
	return c
}

func (m *ministry) auditText() []byte {
	m.t.Helper()
	names, err := filepath.Glob(filepath.Join(m.node.Dir(), "audit", "records-*.jsonl"))
	if err != nil {
		m.t.Fatal(err)
	}
	var all []byte
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			m.t.Fatal(err)
		}
		all = append(all, data...)
	}
	return all
}

// The most that a record names fits into it, whatever the sizes.
func TestARecordHoldsAsManyMessages(t *testing.T) {
	m := newMinistry(t)
	list := make([]chat.Relayed, maxTogether)
	for i := range list {
		list[i] = chat.Relayed{ID: chat.ID{byte(i)}, Size: 64 << 10}
	}
	if err := m.recordForwards(list); err != nil {
		t.Fatal(err)
	}
	rec := m.last()
	if parts := strings.Fields(rec.Detail); len(parts) != maxTogether || parts[maxTogether-1] != list[maxTogether-1].ID.String()+":65536" {
		t.Errorf("%+v", rec)
	}
	if rec.Size != maxTogether*64<<10 {
		t.Errorf("of %d bytes", rec.Size)
	}
}

// A cursor that says nothing, or more than there is, is begun anew.
func TestADamagedCursor(t *testing.T) {
	m := newMinistry(t)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "x", "-1", "18446744073709551615"} {
		if err := os.WriteFile(m.cursorPath(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := m.cursor(); got != m.chat.LastCursor() {
			t.Errorf("%q: %d", text, got)
		}
	}
	if err := errors.Join(os.Remove(m.cursorPath()), os.Mkdir(m.cursorPath(), 0o700)); err != nil {
		t.Fatal(err)
	}
	if _, err := m.readCursor(); err == nil {
		t.Error("one that cannot be read is passed over")
	}
}
