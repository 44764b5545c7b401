package chat

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-chat/parley/node/nodetest"
)

// A reader whose updates end because the store fails can ask why; one whose
// Messenger was closed has nothing to be told.
func TestWhyUpdatesEndIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := nodetest.New(t, nodetest.Config{N: 1})
		for name, failed := range map[string]bool{"closed": false, "failed": true} {
			m, err := Open(t.Context(), c.Nodes[0], Config{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := m.Join(t.Context(), "lobby"); err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				for range m.Updates(t.Context(), 0) {
				}
			}()
			synctest.Wait()
			if m.Err() != nil {
				t.Errorf("before anything happened: %v", m.Err())
			}
			if failed {
				if err := m.store.Close(); err != nil {
					t.Fatal(err)
				}
				m.hub.put(change{kind: roomsChanged})
			} else if err := m.Close(); err != nil {
				t.Error(err)
			}
			<-done
			if (m.Err() != nil) != failed {
				t.Errorf("%s: updates ended for %v", name, m.Err())
			}
			_ = m.Close()
		}
	})
}

// A change that is under way when Close begins has ended before the store is
// closed and the table is told that one is in no room.
func TestCloseWaitsForWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := nodetest.New(t, nodetest.Config{N: 1})
		m, err := Open(t.Context(), c.Nodes[0], Config{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := m.Join(t.Context(), "lobby")
		if err != nil {
			t.Fatal(err)
		}
		end, err := m.change(t.Context()) // as Join does
		if err != nil {
			t.Fatal(err)
		}
		c.Nodes[0].Table().Withdraw(r.log) // provided is what this change provides
		closed := make(chan error, 1)
		go func() { closed <- m.Close() }()
		time.Sleep(time.Minute)
		if err := m.store.SetMeta("test", nil); err != nil {
			t.Errorf("the store is closed while one joins: %v", err)
		}
		c.Nodes[0].Table().Provide(r.log)
		m.mu.Lock()
		m.rooms["other"] = r
		m.mu.Unlock()
		end()
		if err := <-closed; err != nil {
			t.Error(err)
		}
		if n := provided(t, c); n != 0 {
			t.Errorf("%v rooms are told to the network after Close", n)
		}
		if _, err := m.Join(t.Context(), "late"); !errors.Is(err, ErrClosed) {
			t.Errorf("joining a closed one: %v", err)
		}
	})
}

// provided returns how many rooms node 0 tells the network that it is in.
func provided(t *testing.T, c *nodetest.Cluster) float64 {
	t.Helper()
	all, err := c.Registries[0].Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if strings.HasSuffix(f.GetName(), "dht_rooms") {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatal("no such metric")
	return 0
}
