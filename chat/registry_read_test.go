package chat

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/parley-chat/parley/node/nodetest"
)

// A registry that cannot be read anew, as when a call that made it begin is given up,
// leaves in force what it said: nobody who is revoked comes back by that.
//
// spec: 11-registrars M41
func TestWhoIsRevokedStaysSoWhileTheRegistryIsNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := nodetest.New(t, nodetest.Config{N: 1, Registrars: 1})
		m, err := Open(t.Context(), c.Nodes[0], Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		r := m.Registry()
		if _, err := r.Revoke(t.Context(), somebody(1), "laptop lost"); err != nil {
			t.Fatal(err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		r.acting.Lock()
		err = r.read(ended, r.may.Load())
		r.acting.Unlock()
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("it was read: %v", err)
		}
		if _, found := r.Revoked(somebody(1)); !found {
			t.Error("the revocation is forgotten")
		}
		if err := r.follow(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, found := r.Revoked(somebody(1)); !found {
			t.Error("the revocation is forgotten later")
		}
	})
}
