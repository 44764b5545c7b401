package hello

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
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

// prove returns HMAC-SHA-256(key, the label and the transcript so far). Each part has
// its length in front. spec: 02-hello §5
func (t *transcript) prove(key [32]byte, label string) []byte {
	mac := hmac.New(sha256.New, key[:])
	part := func(b []byte) {
		var n [4]byte
		binary.BigEndian.PutUint32(n[:], uint32(len(b)))
		mac.Write(n[:])
		mac.Write(b)
	}
	part([]byte(label))
	part(t.network[:])
	part(t.initiator)
	part(t.responder)
	for _, b := range t.bodies {
		part(b)
	}
	return mac.Sum(nil)
}

// check compares a proof in constant time.
func (t *transcript) check(key [32]byte, label string, proof []byte) error {
	if !hmac.Equal(t.prove(key, label), proof) {
		return fmt.Errorf("%w: %s", ErrProof, label)
	}
	return nil
}
