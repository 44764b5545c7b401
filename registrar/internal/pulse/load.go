package pulse

// meter tells how busy the machine's processors were between two looks. The zero
// value has not looked yet.
type meter struct {
	busy, all float64 // as of the last look, in any unit of time
	last      uint8
}

// percent returns how busy they were since the last call; 0 at the first, and what it
// returned before where no time can be told between the two.
func (m *meter) percent() uint8 { return m.take(processors()) }

func (m *meter) take(busy, all float64) uint8 {
	if m.all > 0 && all > m.all {
		m.last = uint8(min(max(100*(busy-m.busy)/(all-m.all), 0), 100))
	}
	m.busy, m.all = busy, all
	return m.last
}
