package dht

import (
	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	all     []prometheus.Collector
	lookups *prometheus.CounterVec
	found   prometheus.Counter
}

const metricsPrefix = "parley_dht_"

func newMetrics() *metrics {
	m := &metrics{
		lookups: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricsPrefix + "lookups_total", Help: "Look-ups of nodes, by whether the cache knew (hit) or not (miss).",
		}, []string{"result"}),
		found: prometheus.NewCounter(prometheus.CounterOpts{
			Name: metricsPrefix + "found_total", Help: "Nodes found that are in a room of this node's.",
		}),
	}
	m.all = []prometheus.Collector{m.lookups, m.found}
	return m
}

// register registers the metrics of a table, all or none, unless reg is nil.
func (m *metrics) register(reg prometheus.Registerer, t *Table) error {
	gauge := func(name, help string, f func() float64) {
		m.all = append(m.all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: metricsPrefix + name, Help: help}, f))
	}
	gauge("servers", "Servers in the routing table.", func() float64 { return float64(t.Servers()) })
	gauge("rooms", "Rooms provided.", func() float64 { t.mu.Lock(); defer t.mu.Unlock(); return float64(len(t.rooms)) })
	gauge("serving", "1 while this node serves the table.", func() float64 {
		if t.Serving() {
			return 1
		}
		return 0
	})
	gauge("stored_bytes", "What is stored for all nodes together, at most 64 MiB.", func() float64 { return float64(t.store.bytes()) })
	m.all = append(m.all, prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: metricsPrefix + "evicted_total", Help: "Records and providers of those who held most, dropped because the store was full.",
	}, func() float64 { return float64(t.store.evicted.Load()) }))
	if reg == nil {
		return nil
	}
	for i, c := range m.all {
		if err := reg.Register(c); err != nil {
			m.all = m.all[:i] // what is not this table's stays
			m.unregister(reg)
			return err
		}
	}
	return nil
}

func (m *metrics) unregister(reg prometheus.Registerer) {
	if reg == nil {
		return
	}
	for _, c := range m.all {
		reg.Unregister(c)
	}
}
