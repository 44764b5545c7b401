//go:build !linux

package pulse

import "runtime/metrics"

// processors returns what this process alone used of the processors, which is what can
// be told without asking each system in its own way.
func processors() (busy, all float64) {
	s := []metrics.Sample{{Name: "/cpu/classes/idle:cpu-seconds"}, {Name: "/cpu/classes/total:cpu-seconds"}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindFloat64 || s[1].Value.Kind() != metrics.KindFloat64 {
		return 0, 0
	}
	return s[1].Value.Float64() - s[0].Value.Float64(), s[1].Value.Float64()
}
