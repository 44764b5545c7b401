package hello

import "testing"

// FuzzResponder: whatever an initiator without the secret sends, it is not admitted,
// and the reason has a name.
func FuzzResponder(f *testing.F) {
	a, b := pair(Secret{Epoch: 1, Key: [32]byte{0xbd}})
	o := play(f, a, b, nil)
	f.Add(o.messages[0], o.messages[2])
	f.Add(first(with(helloBody(), 8, []byte{1, 2, 3})), []byte{8, 3})
	f.Fuzz(func(t *testing.T, hello, proof []byte) {
		_, b := pair(secret1)
		r, err := Respond(b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Challenge(hello, start); err != nil {
			checkNamed(t, err)
			return
		}
		ack, admitted, err := r.Admit(proof)
		if err == nil || ack != nil || admitted != (Admitted{}) {
			t.Fatal("a stranger was admitted")
		}
		checkNamed(t, err)
	})
}

// FuzzInitiator: the same for a responder without the secret. Seeds hold a challenge
// with a right proof too, so that what comes after it is reached.
func FuzzInitiator(f *testing.F) {
	a, b := pair(secret1)
	o := play(f, a, b, nil)
	f.Add(o.messages[1], o.messages[1])
	f.Add(second(with(challengeBody(), 10, uint64(7))), []byte{8, 4})
	f.Fuzz(func(t *testing.T, challenge, ack []byte) {
		a, _ := pair(secret1)
		i, _, err := Initiate(a, start)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := i.Prove(challenge, start); err != nil {
			checkNamed(t, err)
			return
		}
		admitted, err := i.Finish(ack)
		if err == nil && !bytesKnown(ack, o.messages[3]) || err != nil && admitted != (Admitted{}) {
			t.Fatal("a stranger was admitted")
		}
		if err != nil {
			checkNamed(t, err)
		}
	})
}

// bytesKnown reports whether ack proves the same as the one honest acknowledgement.
func bytesKnown(ack, honest []byte) bool {
	got, err := parseMessage(ack, stepAck)
	want, _ := parseMessage(honest, stepAck)
	return err == nil && string(got.proof) == string(want.proof)
}

func checkNamed(t *testing.T, err error) {
	t.Helper()
	if r := Reason(err); r == "half_open" || r == "order" {
		t.Fatalf("%v has the reason %q", err, r)
	}
}
