package node

import (
	"maps"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the node's own numbers, beside libp2p's. They are counted also
// without a registry, for Status.
type metrics struct {
	all []prometheus.Collector

	hellos  *prometheus.CounterVec // side, result
	dead    prometheus.Counter
	gossip  *prometheus.CounterVec // result
	rpcs    *prometheus.CounterVec // direction
	bytes   *prometheus.CounterVec // direction
	dropped prometheus.Counter
	topics  prometheus.Gauge

	mu      sync.Mutex
	results map[string]uint64
}

func newMetrics(n *Node) *metrics {
	m := &metrics{results: make(map[string]uint64)}
	m.hellos = m.counters("hello_total", "Handshakes by side and result.", "side", "result")
	m.dead = m.counter("dead_connections_total", "Connections closed because their peer was silent.")
	m.gossip = m.counters("gossip_messages_total", "Gossip messages by what became of them.", "result")
	m.rpcs = m.counters("gossip_rpcs_total", "Gossip RPCs sent and received.", "direction")
	m.bytes = m.counters("gossip_payload_bytes_total", "Bytes of gossip messages sent and received, every copy.", "direction")
	m.dropped = m.counter("gossip_rpcs_dropped_total", "Gossip RPCs dropped because a peer's queue was full.")
	m.topics = m.gauge("gossip_topics", "Topics joined.")
	m.gaugeFunc("peers_admitted", "Admitted peers.", func() float64 { return float64(len(n.gate.Peers())) })
	m.gaugeFunc("clock_skew_seconds", "Median of the admitted peers' clocks minus ours.",
		func() float64 { return n.skew.median(time.Now()).Seconds() })
	m.counterFunc("streams_held_total", "Streams that waited for their peer's admission.",
		func() float64 { return float64(n.gate.Stats().Held) })
	m.counterFunc("streams_refused_total", "Streams reset because their peer was not admitted.",
		func() float64 { return float64(n.gate.Stats().Refused) })
	m.counterFunc("dial_failures_total", "Dials that failed.",
		func() float64 { return float64(n.dialer.Status().Failures) })
	return m
}

const metricsPrefix = "parley_node_"

func (m *metrics) counters(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: metricsPrefix + name, Help: help}, labels)
	m.all = append(m.all, c)
	return c
}

func (m *metrics) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: metricsPrefix + name, Help: help})
	m.all = append(m.all, c)
	return c
}

func (m *metrics) gauge(name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: metricsPrefix + name, Help: help})
	m.all = append(m.all, g)
	return g
}

func (m *metrics) gaugeFunc(name, help string, f func() float64) {
	m.all = append(m.all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: metricsPrefix + name, Help: help}, f))
}

func (m *metrics) counterFunc(name, help string, f func() float64) {
	m.all = append(m.all, prometheus.NewCounterFunc(prometheus.CounterOpts{Name: metricsPrefix + name, Help: help}, f))
}

// register puts all on reg, or none. A nil reg is fine.
func (m *metrics) register(reg prometheus.Registerer) error {
	if reg == nil {
		return nil
	}
	for i, c := range m.all {
		if err := reg.Register(c); err != nil {
			for _, done := range m.all[:i] {
				reg.Unregister(done)
			}
			return ErrConfig.Withf("the metrics registry is another node's already").With(err)
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

// hello counts the end of a handshake.
func (m *metrics) hello(side, result string) {
	m.hellos.WithLabelValues(side, result).Inc()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.results[result]++
}

func (m *metrics) helloCounts() map[string]uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.results)
}

func (m *metrics) deadConn(network.Conn) { m.dead.Inc() }
