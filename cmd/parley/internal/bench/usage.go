package bench

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// usage reads what this process has used, on every platform, and keeps the most
// memory it has seen.
type usage struct {
	reg *prometheus.Registry

	mu   sync.Mutex
	most float64
}

func newUsage() *usage {
	u := &usage{reg: prometheus.NewRegistry()}
	u.reg.MustRegister(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return u
}

// read returns the processor time used so far and the resident memory in bytes.
func (u *usage) read() (cpu time.Duration, rss float64, err error) {
	values, err := values(u.reg)
	if err != nil {
		return 0, 0, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.most = max(u.most, values["process_resident_memory_bytes"])
	return time.Duration(values["process_cpu_seconds_total"] * float64(time.Second)), u.most, nil
}

// values are the metrics of a registry that have no labels.
func values(g prometheus.Gatherer) (map[string]float64, error) {
	families, err := g.Gather()
	if err != nil {
		return nil, err
	}
	out := make(map[string]float64, len(families))
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if len(m.GetLabel()) == 0 {
				out[f.GetName()] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return out, nil
}
