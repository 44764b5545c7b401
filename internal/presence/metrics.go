package presence

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	sent    prometheus.Counter
	heard   prometheus.Counter
	refused *prometheus.CounterVec
}

// newMetrics makes the metrics and registers them if reg is not nil.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		sent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "parley_presence_signals_sent_total", Help: "Own signals gossiped.",
		}),
		heard: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "parley_presence_signals_heard_total", Help: "New signals of others.",
		}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "parley_presence_signals_refused_total", Help: "Signals refused or ignored, by reason.",
		}, []string{"reason"}),
	}
	if reg == nil {
		return m, nil
	}
	return m, errors.Join(reg.Register(m.sent), reg.Register(m.heard), reg.Register(m.refused))
}
