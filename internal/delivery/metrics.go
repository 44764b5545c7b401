package delivery

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	sent        prometheus.Counter
	unpublished prometheus.Counter
	received    prometheus.Counter
	unstored    prometheus.Counter
	overflowed  prometheus.Counter
	rejected    *prometheus.CounterVec
	ignored     *prometheus.CounterVec
	fetched     prometheus.Counter
	asked       *prometheus.CounterVec
	served      *prometheus.CounterVec
	synced      *prometheus.CounterVec
	compared    *prometheus.CounterVec
	acked       *prometheus.CounterVec
	windowWait  prometheus.Counter
	windowed    prometheus.Gauge
	windowLeft  *prometheus.CounterVec
}

// newMetrics makes the metrics and registers them if reg is not nil.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	var all []prometheus.Collector
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: "parley_delivery_" + name, Help: help})
		all = append(all, c)
		return c
	}
	vec := func(name, label, help string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "parley_delivery_" + name, Help: help}, []string{label})
		all = append(all, c)
		return c
	}
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "parley_delivery_" + name, Help: help})
		all = append(all, g)
		return g
	}
	m := &metrics{
		sent:        counter("events_sent_total", "Own events stored and published."),
		unpublished: counter("batches_unpublished_total", "Own batches that were stored but not published."),
		received:    counter("events_received_total", "Events of others that were new and stored."),
		unstored:    counter("batches_unstored_total", "Verified batches that the store refused."),
		overflowed:  counter("batches_overflowed_total", "Batches not stored because the queue was full."),
		rejected:    vec("batches_rejected_total", "reason", "Gossiped or fetched batches that are wrong for everyone."),
		ignored:     vec("batches_ignored_total", "reason", "Batches of no use here."),
		fetched:     counter("events_fetched_total", "New events that came by fetching."),
		asked:       vec("fetches_asked_total", "result", "Own fetch requests by result."),
		served:      vec("fetches_served_total", "result", "Fetch requests of others by result."),
		synced:      vec("syncs_total", "result", "Own sessions of reconciliation by result: in-sync says that nothing is missing, in-sync-above that nothing is of what the peer keeps, which is less."),
		compared:    vec("syncs_served_total", "result", "Sessions of others by result."),
		acked:       vec("acks_served_total", "result", "Streams on which others were told what of theirs is stored, by result."),
		windowWait:  counter("window_wait_seconds_total", "How long own batches waited for members to store earlier ones."),
		windowed:    gauge("window_members", "Members that a busy sender waits for, over all rooms."),
		windowLeft:  vec("window_left_total", "reason", "How often a sender stopped waiting for a member: silent or behind."),
	}
	if reg == nil {
		return m, nil
	}
	var errs []error
	for _, c := range all {
		errs = append(errs, reg.Register(c))
	}
	return m, errors.Join(errs...)
}
