package hello

import (
	"crypto/ed25519"
	"encoding/hex"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/ticket"
)

type ticketVector struct {
	Name      string           `json:"name"`
	Network   string           `json:"network"`
	Registrar string           `json:"registrar"`
	Initiator ticketSideVector `json:"initiator"`
	Responder ticketSideVector `json:"responder"`
	Messages  [4]string        `json:"messages"`
}

type ticketSideVector struct {
	Seed   string `json:"seed"`
	PeerID string `json:"peer_id"`
	Nonce  string `json:"nonce"`
	Clock  int64  `json:"clock_ms"`
	Zone   string `json:"zone"`
	Short  string `json:"short_address"`
	From   int64  `json:"not_before"`
	To     int64  `json:"not_after"`
	Final  int64  `json:"final"`
	Ticket string `json:"ticket"`
}

// spec: 11-registrars M1, M2
func TestVectorsTickets(t *testing.T) {
	registrar := ed25519.NewKeyFromSeed(eve[6:])
	key := [32]byte(registrar.Public().(ed25519.PublicKey))
	equip := func(c *Config, seed []byte, zone string, final time.Time, clock time.Time) ticketSideVector {
		tk := ticket.Ticket{
			Network: testNetwork, Peer: [32]byte(c.Local[6:]), Issuer: key, Role: 1, Zone: zone,
			Short:     ticket.ShortOf(zone, ticket.CodeOf(c.Local)),
			NotBefore: start.Add(-ticket.Backdate), NotAfter: start.Add(ticket.Life), Final: final,
		}
		signed, err := tk.Sign(func(msg []byte) []byte { return ed25519.Sign(registrar, msg) })
		if err != nil {
			t.Fatal(err)
		}
		c.Ticket = signed
		v := ticketSideVector{
			Seed: hex.EncodeToString(seed), PeerID: hex.EncodeToString(c.Local), Nonce: hex.EncodeToString(c.Nonce[:]), Clock: clock.UnixMilli(),
			Zone: zone, Short: hex.EncodeToString(tk.Short[:]), From: tk.NotBefore.Unix(), To: tk.NotAfter.Unix(), Ticket: hex.EncodeToString(signed),
		}
		if !final.IsZero() {
			v.Final = final.Unix()
		}
		return v
	}
	a, b := sides()
	v := ticketVector{
		Name: "two tickets of one registrar", Network: hex.EncodeToString(testNetwork[:]), Registrar: hex.EncodeToString(key[:]),
		Initiator: equip(&a, alice[6:], "ward 3", start.Add(365*24*time.Hour), start),
		Responder: equip(&b, bob[6:], "", time.Time{}, start.Add(20*time.Millisecond)),
	}
	rules := ticket.Rules{Network: testNetwork, Registrar: func(k [32]byte) bool { return k == key }, Now: start}
	a.CheckTicket = func(signed []byte) error { _, err := rules.Verify(signed, a.RemoteKey); return err }
	b.CheckTicket = func(signed []byte) error { _, err := rules.Verify(signed, b.RemoteKey); return err }
	o := play(t, a, b, nil)
	if !o.initDone || !o.respDone {
		t.Fatal(o.initErr, o.respErr)
	}
	for n, m := range o.messages {
		v.Messages[n] = hex.EncodeToString(m)
	}
	keep(t, "tickets.json", vectorFile[ticketVector]{
		About: "A handshake by tickets. Given these sides an implementation makes these tickets and messages. docs/protocol/02-hello.md §7, 11-registrars.md §2",
		Fields: map[string]string{
			"network": "hex, network ID", "registrar": "hex, raw Ed25519 key of the issuer, whose seed is 32 bytes ee",
			"seed": "hex, Ed25519 seed of the peer", "peer_id": "hex, binary peer ID", "nonce": "hex", "clock_ms": "Unix milliseconds when the side writes its first message",
			"not_before": "Unix seconds, and so not_after and final; 0 = absent", "ticket": "hex, as it travels",
			"messages": "hex, without length prefix: hello, challenge, proof, acknowledgement",
		},
		Vectors: []ticketVector{v},
	})
}
