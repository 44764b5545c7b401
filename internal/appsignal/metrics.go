package appsignal

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
			Name: "parley_appsignals_sent_total", Help: "Own applications' signals gossiped.",
		}),
		heard: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "parley_appsignals_heard_total", Help: "Signals of others' applications that counted.",
		}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "parley_appsignals_refused_total", Help: "Applications' signals refused or ignored, by reason.",
		}, []string{"reason"}),
	}
	if reg == nil {
		return m, nil
	}
	return m, errors.Join(reg.Register(m.sent), reg.Register(m.heard), reg.Register(m.refused))
}
