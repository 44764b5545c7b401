package eventlog

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts what the writer does. Without a registerer they count all the
// same and nobody looks.
type metrics struct {
	reg     prometheus.Registerer
	all     []prometheus.Collector
	events  prometheus.Counter
	dups    prometheus.Counter
	forks   prometheus.Counter
	syncs   prometheus.Counter
	commits prometheus.Histogram
}

func (s *Store) measure(reg prometheus.Registerer) error {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "parley", Subsystem: "store", Name: name, Help: help})
	}
	gauge := func(name, help string, fn func(Stats) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "parley", Subsystem: "store", Name: name, Help: help},
			func() float64 { return fn(s.Stats()) })
	}
	m := &metrics{
		events: counter("events_total", "Events stored."),
		dups:   counter("duplicates_total", "Events that were stored already."),
		forks:  counter("forks_total", "Events stored whose author and seq another one has."),
		syncs:  counter("syncs_total", "Syncs to disk."),
		commits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "parley", Subsystem: "store", Name: "commit_seconds", Help: "Time of a group commit with its sync.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 8),
		}),
	}
	m.all = []prometheus.Collector{
		m.events, m.dups, m.forks, m.syncs, m.commits,
		prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: "parley", Subsystem: "store", Name: "decoded_total", Help: "Events read from disk and decoded."},
			func() float64 { return float64(s.decoded.Load()) }),
		gauge("queued", "Requests that wait for the writer.", func(st Stats) float64 { return float64(st.Queued) }),
		gauge("bytes", "Bytes on disk.", func(st Stats) float64 { return float64(st.Bytes) }),
		gauge("held_events", "Events in the store.", func(st Stats) float64 { return float64(st.Events) }),
	}
	s.metrics = m
	if reg == nil {
		return nil
	}
	for i, c := range m.all {
		if err := reg.Register(c); err != nil {
			m.all = m.all[:i]
			m.reg = reg
			return err
		}
	}
	m.reg = reg
	return nil
}

func (m *metrics) unregister() {
	if m.reg == nil {
		return
	}
	for _, c := range m.all {
		m.reg.Unregister(c)
	}
}

func (m *metrics) committed(g *group, took time.Duration) {
	m.events.Add(float64(g.events))
	m.dups.Add(float64(g.dups))
	m.forks.Add(float64(g.forks))
	m.commits.Observe(took.Seconds())
}
