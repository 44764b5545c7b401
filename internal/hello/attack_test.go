package hello

import (
	"errors"
	"testing"
	"time"
)

// Every test here is somebody who should not get in, or somebody in between.

// spec: 02-hello M17
func TestWrongSecret(t *testing.T) {
	a, b := pair(secret1)
	a.Secrets = []Secret{{Epoch: 1, Key: [32]byte{0xbd}}}
	o := play(t, a, b, nil)
	if !errors.Is(o.initErr, ErrProof) {
		t.Errorf("honest initiator, responder of another secret: %v", o.initErr)
	}
	// A stranger does not care that the challenge does not convince him.
	_, m1, err := Initiate(a, start)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Respond(b)
	if err != nil {
		t.Fatal(err)
	}
	m2, err := r.Challenge(m1, start)
	if err != nil {
		t.Fatal(err)
	}
	stranger := transcript{network: testNetwork, initiator: alice, responder: bob}
	h, c := mustParse(t, m1, stepHello), mustParse(t, m2, stepChallenge)
	stranger.add(h.body)
	stranger.add(c.body)
	stranger.add(nil)
	for _, proof := range [][]byte{stranger.prove(a.Secrets[0].Key, labelProof), c.proof, make([]byte, 32), nil} {
		again := *r
		m3 := message{step: stepProof, proof: proof}
		if _, _, err := again.Admit(m3.encode()); !errors.Is(err, ErrProof) {
			t.Errorf("proof %x: %v", proof, err)
		}
	}
}

func mustParse(t *testing.T, b []byte, step uint64) message {
	t.Helper()
	m, err := parseMessage(b, step)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// spec: 02-hello M15
func TestOtherNetwork(t *testing.T) {
	a, b := pair(secret1)
	a.Network[0] ^= 1
	if o := play(t, a, b, nil); !errors.Is(o.respErr, ErrNetwork) {
		t.Error(o.respErr)
	}
	// One who knows the mark, but not the network, is stopped by the proof.
	o := play(t, a, b, func(n int, m []byte) []byte {
		if n == 0 {
			return first(helloBody())
		}
		return m
	})
	if !errors.Is(o.initErr, ErrProof) {
		t.Error(o.initErr)
	}
}

// spec: 02-hello M15
func TestNoCommonEpoch(t *testing.T) {
	a, b := pair(secret1)
	b.Secrets = []Secret{secret2, secret3}
	if o := play(t, a, b, nil); !errors.Is(o.respErr, ErrEpoch) {
		t.Error(o.respErr)
	}
}

// spec: 02-hello M16
func TestOwnWordsComeBack(t *testing.T) {
	a, b := pair(secret1)
	i, m1, err := Initiate(a, start)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := i.Prove(m1, start); !errors.Is(err, ErrReflected) {
		t.Errorf("own hello as challenge: %v", err)
	}
	i, _, _ = Initiate(a, start)
	if _, err := i.Prove(second(with(challengeBody(), 1, a.Nonce[:])), start); !errors.Is(err, ErrReflected) {
		t.Errorf("own nonce in the challenge: %v", err)
	}
	r, err := Respond(b)
	if err != nil {
		t.Fatal(err)
	}
	echo := with(with(helloBody(), 1, b.Nonce[:]), 2, slowMark(testNetwork, b.Nonce[:]))
	if _, err := r.Challenge(first(echo), start); !errors.Is(err, ErrReflected) {
		t.Errorf("own nonce in the hello: %v", err)
	}
	a.Remote = a.Local
	if _, _, err := Initiate(a, start); !errors.Is(err, ErrReflected) {
		t.Errorf("talking to oneself: %v", err)
	}
}

// Eve opens a stream to alice while alice opens one to her, and lets alice answer
// herself: the proofs name who is initiator and who is responder.
func TestVictimIsNoOracleAgainstHerself(t *testing.T) {
	i, m1, err := Initiate(config(alice, eve, 1, secret1), start)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Respond(config(alice, eve, 2, secret1))
	if err != nil {
		t.Fatal(err)
	}
	m2, err := r.Challenge(m1, start)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := i.Prove(m2, start); !errors.Is(err, ErrProof) {
		t.Errorf("her own challenge convinced her: %v", err)
	}
	c := mustParse(t, m2, stepChallenge)
	m3 := message{step: stepProof, proof: c.proof}
	if _, _, err := r.Admit(m3.encode()); !errors.Is(err, ErrProof) {
		t.Errorf("her own proof admitted eve: %v", err)
	}
}

// Eve passes everything on between alice and bob, each of whom talks to eve.
func TestRelayedHandshakeProvesNothing(t *testing.T) {
	o := play(t, config(alice, eve, 1, secret1), config(bob, eve, 2, secret1), nil)
	if !errors.Is(o.initErr, ErrProof) {
		t.Errorf("alice took eve for a member: %v", o.initErr)
	}
}

func TestRecordedHandshakeIsWorthNothing(t *testing.T) {
	a, b := pair(secret1)
	recorded := play(t, a, b, nil).messages
	b.Nonce[0]++
	o := play(t, a, b, func(n int, m []byte) []byte {
		if n == 2 {
			return recorded[n]
		}
		return m
	})
	if !errors.Is(o.respErr, ErrProof) {
		t.Errorf("a recorded proof admitted: %v", o.respErr)
	}
	a.Nonce[0]++
	o = play(t, a, b, func(n int, m []byte) []byte {
		if n == 1 {
			return recorded[n]
		}
		return m
	})
	if !errors.Is(o.initErr, ErrProof) {
		t.Errorf("a recorded challenge convinced: %v", o.initErr)
	}
	o = play(t, a, b, func(n int, m []byte) []byte {
		if n == 3 {
			return recorded[n]
		}
		return m
	})
	if !errors.Is(o.initErr, ErrProof) {
		t.Errorf("a recorded acknowledgement admitted: %v", o.initErr)
	}
}

// No alteration on the way, not of one bit, ends with both sides content.
//
// spec: 02-hello M18
func TestEveryBitCounts(t *testing.T) {
	a, b := pair(secret1, secret2)
	for n, m := range play(t, a, b, nil).messages {
		for bit := range 8 * len(m) {
			o := play(t, a, b, func(at int, m []byte) []byte {
				if at == n {
					m[bit/8] ^= 1 << (bit % 8)
				}
				return m
			})
			if o.initDone || n < 3 && o.respDone {
				t.Fatalf("message %d, bit %d altered: still admitted", n+1, bit)
			}
			checkSilent(t, o)
		}
	}
}

// spec: 02-hello M18
func TestEveryTruncationFails(t *testing.T) {
	a, b := pair(secret1)
	for n, m := range play(t, a, b, nil).messages {
		for size := range m {
			o := play(t, a, b, func(at int, m []byte) []byte {
				if at == n {
					return m[:size]
				}
				return m
			})
			if o.initDone || n < 3 && o.respDone {
				t.Fatalf("message %d cut to %d bytes: still admitted", n+1, size)
			}
			checkSilent(t, o)
		}
	}
}

// checkSilent checks that a failed side concluded nothing and named one reason.
func checkSilent(t *testing.T, o outcome) {
	t.Helper()
	if !o.initDone && o.initiator != (Admitted{}) || !o.respDone && o.responder != (Admitted{}) {
		t.Fatal("a failed handshake has a result")
	}
	for _, err := range []error{o.initErr, o.respErr} {
		if r := Reason(err); err != nil && (r == "half_open" || r == "order") {
			t.Fatalf("%v has the reason %q", err, r)
		}
	}
}

// spec: 02-hello M4
func TestOversizedMessages(t *testing.T) {
	a, b := pair(secret1)
	// played grows message n to size bytes by a field that nobody knows.
	played := func(n, size int) outcome {
		return play(t, a, b, func(at int, m []byte) []byte {
			if at == n {
				m = append(m, enc(field{99, make([]byte, size-len(m)-4)})...)
				if len(m) != size {
					t.Fatalf("%d bytes", len(m))
				}
			}
			return m
		})
	}
	for n := range 4 {
		if o := played(n, MaxMessage); !o.initDone || !o.respDone {
			t.Errorf("message %d of %d bytes: %v, %v", n+1, MaxMessage, o.initErr, o.respErr)
		}
		if o := played(n, MaxMessage+1); !errors.Is(errors.Join(o.initErr, o.respErr), ErrTooLarge) {
			t.Errorf("message %d: %v, %v", n+1, o.initErr, o.respErr)
		}
	}
}

// Each step can be taken once and in order; after a failure nothing goes on.
//
// spec: 02-hello M8, M20
func TestStepsOutOfOrder(t *testing.T) {
	a, b := pair(secret1)
	m := play(t, a, b, nil).messages
	i, _, _ := Initiate(a, start)
	if _, err := i.Finish(m[3]); !errors.Is(err, ErrOrder) {
		t.Errorf("finish first: %v", err)
	}
	if _, err := i.Prove(m[1], start); !errors.Is(err, ErrOrder) {
		t.Errorf("prove after a failure: %v", err)
	}
	r, _ := Respond(b)
	if _, _, err := r.Admit(m[2]); !errors.Is(err, ErrOrder) {
		t.Errorf("admit first: %v", err)
	}
	if _, err := r.Challenge(m[0], start); !errors.Is(err, ErrOrder) {
		t.Errorf("challenge after a failure: %v", err)
	}
	i, _, _ = Initiate(a, start)
	if _, err := i.Prove(nil, start); !errors.Is(err, ErrForm) {
		t.Errorf("empty challenge: %v", err)
	}
	if _, err := i.Prove(m[1], start); !errors.Is(err, ErrOrder) {
		t.Errorf("a second try: %v", err)
	}
	r, _ = Respond(b)
	if _, err := r.Challenge(m[0], start.Add(20*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Admit(m[2]); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Admit(m[2]); !errors.Is(err, ErrOrder) {
		t.Errorf("admitted twice: %v", err)
	}
}
