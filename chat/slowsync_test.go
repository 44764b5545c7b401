package chat_test

import (
	"bufio"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/parley-chat/parley/internal/reconcile"
	"github.com/parley-chat/parley/internal/wire"
)

// mirage is a set that seems to have a thousand items in each second, never the
// same ones, and none when one looks.
type mirage struct{}

func (mirage) Sum(from, to reconcile.Bound) (s reconcile.Sum, err error) {
	if s.Count = min(to.Second-from.Second, 1<<31); s.Count > 1 { // else it is listed
		s.Count *= 1000
	}
	if s.Count > 0 {
		var b [8]byte
		_, _ = rand.Read(b[:])
		s.IDs[0] = binary.BigEndian.Uint64(b[:])
	}
	return s, nil
}

func (mirage) Items(_, _ reconcile.Bound, _ int) ([]reconcile.Item, error) { return nil, nil }

func (mirage) Read() int { return 0 }

func (mirage) Split(from, to reconcile.Bound, n int) (out []reconcile.Bound, err error) {
	wide := min(to.Second-from.Second, 1<<31)
	for i := 1; i < n; i++ {
		at := reconcile.At(from.Second + wide*uint64(i)/uint64(n))
		if last := len(out) - 1; at.Second > from.Second && (last < 0 || at.Second > out[last].Second) {
			out = append(out, at)
		}
	}
	if out == nil {
		out = []reconcile.Bound{reconcile.At(to.Second)}
	}
	return out, nil
}

// One who keeps us waiting, or comparing without end, gets ever less of our
// time.
func TestWhoTakesOurTimeIsPutOff(t *testing.T) {
	long(t)
	for name, reply := range map[string]func(n int, msg []byte) []byte{
		"waiting": func(int, []byte) []byte { return nil },
		"comparing": func(_ int, msg []byte) []byte {
			b, _, err := reconcile.Answer(mirage{}, reconcile.At(0), msg, 128<<10)
			if err != nil {
				t.Error(err)
			}
			return b
		},
	} {
		t.Run(name, func(t *testing.T) {
			attack(t, func(t *testing.T, v *villain) {
				sessions, messages := v.lie(binary.AppendUvarint([]byte{0, 4 << 3}, 1<<40), reply)
				v.Stop(1)
				// Somebody is looked for each half minute.
				time.Sleep(10 * time.Minute)
				if n := sessions.Load(); n < 5 || n > 12 {
					t.Errorf("%d sessions, %d messages", n, messages.Load())
				}
				if v.metric(0, "parley_delivery_syncs_total", "fault") != 0 {
					t.Error("he broke a rule")
				}
			})
		})
	}
}

// A session that is served ends: with a reset when it has too many messages,
// however quick they are, and after two minutes, however slow.
//
// spec: 06-sync M5
func TestServedSessionsEnd(t *testing.T) {
	attack(t, func(t *testing.T, v *villain) {
		n := v.Nodes[2]
		for name, test := range map[string]struct {
			pause    time.Duration
			messages int
		}{
			"quick": {0, 512},
			"slow":  {25 * time.Second, 5},
		} {
			s, err := n.Host().NewStream(t.Context(), v.Nodes[0].ID(), wire.LogProtocol(n.Network().Tag, wire.ForSync))
			if err != nil {
				t.Fatal(err)
			}
			in := bufio.NewReader(s)
			if err := wire.WriteFrame(s, syncRequest(v.log)); err != nil {
				t.Fatal(err)
			}
			if _, err = wire.ReadFrame(in, 1<<20); err != nil {
				t.Fatal(err)
			}
			answered := 0
			for ; answered < 1000; answered++ {
				time.Sleep(test.pause)
				if err = wire.WriteFrame(s, []byte{0x61}); err != nil {
					break
				}
				if _, err = wire.ReadFrame(in, 1<<20); err != nil {
					break
				}
			}
			if answered > test.messages || answered < test.messages-1 || !errors.Is(err, network.ErrReset) {
				t.Errorf("%s: %d messages, then %v", name, answered, err)
			}
		}
	})
}
