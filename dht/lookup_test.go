package dht

import (
	"context"
	"errors"
	"testing"
	"time"

	pb "github.com/libp2p/go-libp2p-kad-dht/pb"
	record "github.com/libp2p/go-libp2p-record/pb"
	"github.com/prometheus/client_golang/prometheus"
)

// A search that does not end in time: of two servers one is silent, and names
// ever more that are. spec: 09-dht §3
func TestALookUpThatIsCutShortTellsWhatItFound(t *testing.T) {
	for name, honest := range map[string]bool{"one server has the record": true, "none has": false} {
		onSite(t, func(s *site) {
			id, sign := anna(1)
			r := recordOf(id)
			r.Made, r.Expiry = time.Now(), time.Now().Add(time.Hour)
			value := encoded(t, r, sign)
			s.start(0)
			s.start(1, 0)
			time.Sleep(10 * time.Second)
			s.start(2, 0, 1)
			time.Sleep(10 * time.Second)
			for i := range 2 {
				s.answerBy(i, func(req *pb.Message) *pb.Message {
					answer := &pb.Message{Type: req.Type, Key: req.Key}
					switch {
					case req.Type == pb.Message_GET_VALUE && i == 0 && honest:
						answer.Record = &record.Record{Key: req.Key, Value: value}
					case req.Type == pb.Message_GET_VALUE && i == 1:
						time.Sleep(answerTime - time.Second) // it answers, late
						return nil
					}
					return answer
				})
			}
			s.nodes[2].table.within = 5 * time.Second
			defer time.Sleep(answerTime)
			got, err := s.lookup(2, id)
			if honest && (err != nil || got.ID != id) || !honest && !errors.Is(err, ErrNotFound) {
				t.Errorf("%s: %v, %v", name, got, err)
			}
		})
	}
}

func TestLookUpAfterCloseAndCloseTwice(t *testing.T) {
	onSite(t, func(s *site) {
		v := s.start(0)
		id, _ := anna(1)
		if err := v.table.Close(); err != nil {
			t.Fatal(err)
		}
		if err := v.table.Close(); err != nil {
			t.Error(err)
		}
		if _, err := v.table.Lookup(context.Background(), id); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
	})
}

func TestMetricsAreRegisteredAllOrNone(t *testing.T) {
	onSite(t, func(s *site) {
		reg := prometheus.NewPedanticRegistry()
		theirs := prometheus.NewGauge(prometheus.GaugeOpts{Name: metricsPrefix + "rooms", Help: "Rooms provided."})
		reg.MustRegister(theirs)
		m, v := newMetrics(), s.start(0)
		if m.register(reg, v.table) == nil {
			t.Fatal("registered twice")
		}
		m.unregister(reg)
		left, err := reg.Gather()
		if err != nil || len(left) != 1 || left[0].GetName() != metricsPrefix+"rooms" {
			t.Errorf("left: %v, %v", left, err)
		}
	})
}
