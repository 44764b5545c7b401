package direct

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	pairs     prometheus.Gauge
	streams   prometheus.Gauge
	switched  prometheus.Counter
	refused   prometheus.Counter
	failed    prometheus.Counter
	malformed prometheus.Counter
	useless   prometheus.Counter
}

// newMetrics makes the metrics and registers them if reg is not nil.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	var all []prometheus.Collector
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: "parley_direct_" + name, Help: help})
		all = append(all, c)
		return c
	}
	m := &metrics{
		pairs:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "parley_direct_pairs", Help: "Chats that run: their other side was here, or they were used."}),
		streams:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "parley_direct_streams", Help: "Chat streams that are open."}),
		switched:  counter("switched_total", "Chat streams given up for another of the same pair."),
		refused:   counter("refused_total", "Streams of others that were refused."),
		failed:    counter("failed_total", "Own tries to open a chat stream that failed."),
		malformed: counter("malformed_total", "Chat streams that ended with a malformed frame."),
		useless:   counter("useless_total", "Frames that brought nothing new."),
	}
	all = append(all, m.pairs, m.streams)
	if reg == nil {
		return m, nil
	}
	var errs []error
	for _, c := range all {
		errs = append(errs, reg.Register(c))
	}
	return m, errors.Join(errs...)
}
