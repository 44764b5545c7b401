package node

import (
	"testing"

	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/node/internal/admission"
)

// What a network calls its protocols and topics, for other implementations. Names of Kademlia and
// mDNS are made by libraries and the packages that set them up, whose tests hold these too.
//
// spec: 01-network M6
func TestVectorsNames(t *testing.T) {
	id := mustID(t, "lan")
	tag, log := tagOf(id), seq(7)
	type vector struct {
		NetworkID string            `json:"network_id"`
		Log       string            `json:"log"`
		Protocols map[string]string `json:"protocols"`
		Topics    map[string]string `json:"topics"`
		Service   string            `json:"mdns_service"`
	}
	checkVectors(t, "testdata/names.json", vector{
		NetworkID: hexID(id), Log: hexID(log),
		Protocols: map[string]string{
			"hello":   string(admission.ProtocolID(tag)),
			"network": string(aboutProtocol(tag)),
			"fetch":   string(wire.LogProtocol(tag, wire.ForFetch)),
			"sync":    string(wire.LogProtocol(tag, wire.ForSync)),
			"signal":  string(wire.SignalProtocol(tag)),
			"direct":  string(wire.DirectProtocol(tag)),
			"kad":     "/parley/" + tag + "/kad/1.0.0",
		},
		Topics: map[string]string{
			"log": wire.LogTopic(tag, log), "signals": wire.SignalTopic(tag, log), "presence": wire.PresenceTopic(tag),
		},
		Service: "_parley-" + tag + "._udp.local.",
	})
}
