package hello

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

var (
	alice = append([]byte{0x00, 0x24, 0x08, 0x01, 0x12, 0x20}, bytes.Repeat([]byte{0xa1}, 32)...)
	bob   = append([]byte{0x00, 0x24, 0x08, 0x01, 0x12, 0x20}, bytes.Repeat([]byte{0xb0}, 32)...)
	eve   = append([]byte{0x00, 0x24, 0x08, 0x01, 0x12, 0x20}, bytes.Repeat([]byte{0xee}, 32)...)

	testNetwork = [32]byte{0x01, 31: 0x0e}
	secret1     = Secret{Epoch: 1, Key: [32]byte{0x11, 31: 0x01}}
	secret2     = Secret{Epoch: 2, Key: [32]byte{0x22, 31: 0x02}}
	secret3     = Secret{Epoch: 3, Key: [32]byte{0x33, 31: 0x03}}
	start       = time.UnixMilli(1_767_225_600_000)
)

// config is one side of a handshake in the test network, with a nonce of that byte.
func config(local, remote []byte, nonce byte, secrets ...Secret) Config {
	return Config{
		Network: testNetwork, Secrets: secrets, Local: local, Remote: remote,
		Nonce: [NonceSize]byte(bytes.Repeat([]byte{nonce}, NonceSize)),
	}
}

// pair is alice as initiator and bob as responder, with these secrets both.
func pair(secrets ...Secret) (a, b Config) {
	return config(alice, bob, 0xa2, secrets...), config(bob, alice, 0xb2, secrets...)
}

// outcome is how far a handshake came and what each side concluded.
type outcome struct {
	messages           [][]byte
	initiator          Admitted
	responder          Admitted
	initErr, respErr   error
	initDone, respDone bool
}

// play runs a handshake in which alter may change message n (0 to 3) on its way.
func play(t testing.TB, a, b Config, alter func(n int, msg []byte) []byte) (o outcome) {
	t.Helper()
	pass := func(msg []byte) []byte {
		n := len(o.messages)
		o.messages = append(o.messages, bytes.Clone(msg))
		if alter != nil {
			msg = alter(n, bytes.Clone(msg))
		}
		return msg
	}
	i, msg, err := Initiate(a, start)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Respond(b)
	if err != nil {
		t.Fatal(err)
	}
	if msg, o.respErr = r.Challenge(pass(msg), start.Add(20*time.Millisecond)); o.respErr != nil {
		return o
	}
	if msg, o.initErr = i.Prove(pass(msg), start.Add(30*time.Millisecond)); o.initErr != nil {
		return o
	}
	if msg, o.responder, o.respErr = r.Admit(pass(msg)); o.respErr != nil {
		return o
	}
	o.respDone = true
	if o.initiator, o.initErr = i.Finish(pass(msg)); o.initErr == nil {
		o.initDone = true
	}
	return o
}

// field is one protobuf field: v is a uint64 or a []byte.
type field struct {
	num protowire.Number
	v   any
}

func enc(fields ...field) []byte {
	var b []byte
	for _, f := range fields {
		switch v := f.v.(type) {
		case uint64:
			b = protowire.AppendVarint(protowire.AppendTag(b, f.num, protowire.VarintType), v)
		case []byte:
			b = protowire.AppendBytes(protowire.AppendTag(b, f.num, protowire.BytesType), v)
		}
	}
	return b
}

// slowProof is a proof as docs/protocol describes it.
func slowProof(key [32]byte, parts ...[]byte) []byte {
	var all []byte
	for _, p := range parts {
		all = binary.BigEndian.AppendUint32(all, uint32(len(p)))
		all = append(all, p...)
	}
	mac := hmac.New(sha256.New, key[:])
	mac.Write(all)
	return mac.Sum(nil)
}

// slowMark is a network mark as docs/protocol describes it.
func slowMark(network [32]byte, nonce []byte) []byte {
	sum := sha256.Sum256(append(append([]byte("parley/hello/network/1"), network[:]...), nonce...))
	return sum[:]
}

// helloBody is the body of a first message that bob would answer.
func helloBody() []field {
	nonce := bytes.Repeat([]byte{0xa2}, NonceSize)
	return []field{
		{1, nonce},
		{2, slowMark(testNetwork, nonce)},
		{3, uint64(1)},
		{4, uint64(1)},
		{6, uint64(1)},
		{7, uint64(start.UnixMilli())},
		{8, []byte{1}},
		{9, uint64(1)},
	}
}

// challengeBody is the body of a second message that alice would answer.
func challengeBody() []field {
	return []field{
		{1, bytes.Repeat([]byte{0xb2}, NonceSize)},
		{6, uint64(1)},
		{7, uint64(start.UnixMilli() + 20)},
		{10, uint64(1)},
		{11, uint64(1)},
		{12, uint64(1)},
	}
}

func first(body []field) []byte { return enc(field{1, uint64(1)}, field{2, enc(body...)}) }

// second is a challenge with a right proof, whatever its body says.
func second(body []field) []byte {
	b := enc(body...)
	proof := slowProof(secret1.Key, []byte(labelChallenge), testNetwork[:], alice, bob, enc(helloBody()...), b)
	return enc(field{1, uint64(2)}, field{2, b}, field{3, proof})
}

// with returns fields with number num replaced, or added in order.
func with(fields []field, num protowire.Number, v any) []field {
	var out []field
	done := false
	for _, f := range fields {
		if f.num >= num && !done {
			out = append(out, field{num, v})
			done = true
		}
		if f.num != num {
			out = append(out, f)
		}
	}
	if !done {
		out = append(out, field{num, v})
	}
	return out
}

func without(fields []field, num protowire.Number) (out []field) {
	for _, f := range fields {
		if f.num != num {
			out = append(out, f)
		}
	}
	return out
}
