package chat

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// registerer remembers what was registered, so that a registry can take the
// metrics of the next Messenger once this one is closed.
type registerer struct {
	prometheus.Registerer

	mu  sync.Mutex
	all []prometheus.Collector
}

func (r *registerer) Register(c prometheus.Collector) error {
	if err := r.Registerer.Register(c); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, c)
	return nil
}

func (r *registerer) MustRegister(all ...prometheus.Collector) {
	for _, c := range all {
		if err := r.Register(c); err != nil {
			panic(err)
		}
	}
}

// release takes everything back. Twice is once.
func (r *registerer) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.all {
		r.Unregister(c)
	}
	r.all = nil
}
