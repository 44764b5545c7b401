package hello

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

// What each proof is for: no proof can stand in for another. spec: 02-hello §5
const (
	labelChallenge = "parley/hello/1/challenge" // the responder's, over both bodies
	labelProof     = "parley/hello/1/proof"     // the initiator's
	labelAck       = "parley/hello/1/ack"       // the responder's second
)

// networkMark names the network to those who know its ID and to nobody else: it differs
// with every nonce. spec: 02-hello §4
func networkMark(network [32]byte, nonce []byte) [32]byte {
	h := sha256.New()
	h.Write([]byte("parley/hello/network/1"))
	h.Write(network[:])
	h.Write(nonce)
	return [32]byte(h.Sum(nil))
}

// transcript is what both sides have said and know: who the two are, and every body
// verbatim, in order.
type transcript struct {
	network              [32]byte
	initiator, responder []byte
	bodies               [][]byte
}

func (t *transcript) add(body []byte) { t.bodies = append(t.bodies, body) }

// prove returns HMAC-SHA-256(key, the label and the transcript so far). spec: 02-hello §5
func (t *transcript) prove(key [32]byte, label string) []byte {
	mac := hmac.New(sha256.New, key[:])
	t.write(mac, label)
	return mac.Sum(nil)
}

// signed is what the peer's key signs where tickets prove membership: the label, and
// SHA-256 of label and transcript so far. spec: 02-hello §7
func (t *transcript) signed(label string) []byte {
	sum := sha256.New()
	t.write(sum, label)
	return sum.Sum([]byte(label))
}

// write writes label and transcript, each part with its length in front.
func (t *transcript) write(to hash.Hash, label string) {
	part := func(b []byte) {
		var n [4]byte
		binary.BigEndian.PutUint32(n[:], uint32(len(b)))
		to.Write(n[:])
		to.Write(b)
	}
	part([]byte(label))
	part(t.network[:])
	part(t.initiator)
	part(t.responder)
	for _, b := range t.bodies {
		part(b)
	}
}
