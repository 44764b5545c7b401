package hello

import (
	"testing"
	"time"
)

// run plays a whole handshake and returns what each side concluded.
func run(t *testing.T, a, b Config) (fromA, fromB Admitted) {
	t.Helper()
	i, m1, err := Initiate(a, time.UnixMilli(1_000_000))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Respond(b)
	if err != nil {
		t.Fatal(err)
	}
	m2, err := r.Challenge(m1, time.UnixMilli(1_002_000))
	if err != nil {
		t.Fatal(err)
	}
	m3, err := i.Prove(m2, time.UnixMilli(1_000_100))
	if err != nil {
		t.Fatal(err)
	}
	m4, fromB, err := r.Admit(m3)
	if err != nil {
		t.Fatal(err)
	}
	fromA, err = i.Finish(m4)
	if err != nil {
		t.Fatal(err)
	}
	return fromA, fromB
}

func pair(secrets ...Secret) (a, b Config) {
	a = Config{Network: [32]byte{1}, Secrets: secrets, Local: []byte("alice"), Remote: []byte("bob"), Nonce: [32]byte{2}}
	b = Config{Network: [32]byte{1}, Secrets: secrets, Local: []byte("bob"), Remote: []byte("alice"), Nonce: [32]byte{3}, Role: RoleRegistrar}
	return a, b
}

func TestMembersAdmitEachOther(t *testing.T) {
	a, b := pair(Secret{Epoch: 1, Key: [32]byte{9}})
	fromA, fromB := run(t, a, b)
	want := Admitted{Version: 1, Role: RoleRegistrar, Epoch: 1, Skew: 1950 * time.Millisecond}
	if fromA != want {
		t.Errorf("initiator concluded %+v", fromA)
	}
	want = Admitted{Version: 1, Role: RoleNode, Epoch: 1, Skew: -2 * time.Second}
	if fromB != want {
		t.Errorf("responder concluded %+v", fromB)
	}
}
