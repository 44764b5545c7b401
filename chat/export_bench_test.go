package chat_test

import (
	"slices"
	"testing"

	"github.com/parley-chat/parley/chat"
)

// exportOf fills a room with n texts of 256 bytes and exports it.
func exportOf(b *testing.B, n int) (m *chat.Messenger, from chat.Origin, payloads [][]byte) {
	b.Helper()
	node, m := loopback(b)
	r, err := m.Join(b.Context(), "lobby")
	if err != nil {
		b.Fatal(err)
	}
	for _, err := range r.SendAll(b.Context(), texts256(n)) {
		if err != nil {
			b.Fatal(err)
		}
	}
	for p, err := range r.Export(b.Context()) {
		if err != nil {
			b.Fatal(err)
		}
		payloads = append(payloads, p)
	}
	return m, chat.Origin{Network: node.Network().ID, Room: "lobby"}, payloads
}

func importAll(b *testing.B, m *chat.Messenger, from chat.Origin, payloads [][]byte) {
	for done, err := range m.Import(b.Context(), from, slices.Values(payloads)) {
		if err != nil || len(done.Refused) > 0 {
			b.Fatal(err, done.Refused)
		}
	}
}

// BenchmarkExport is reading a room's events with a proof for each.
func BenchmarkExport(b *testing.B) {
	m, _, _ := exportOf(b, b.N)
	r, err := m.Room("lobby")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for _, err := range r.Export(b.Context()) {
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkImport is verifying and storing what another node exported, until
// all of it is on disk.
func BenchmarkImport(b *testing.B) {
	_, from, payloads := exportOf(b, b.N)
	_, m := loopback(b)
	b.ReportAllocs()
	b.ResetTimer()
	importAll(b, m, from, payloads)
}

// BenchmarkImportKnown is verifying what is stored already.
func BenchmarkImportKnown(b *testing.B) {
	m, from, payloads := exportOf(b, b.N)
	b.ReportAllocs()
	b.ResetTimer()
	importAll(b, m, from, payloads)
}
