package audit

import (
	"net/netip"
	"sync"
	"time"
)

// neighboursFor is how long the kernel's table is taken for what it was.
const neighboursFor = time.Second

// Neighbours tells the hardware address behind an IP address on the same link,
// as the kernel knows it at the moment: who was spoken with is mostly in there.
// It says nothing for addresses behind a router, for one's own and loopback's,
// and on other systems than Linux. The zero value is ready; any goroutine may
// call it.
type Neighbours struct {
	mu    sync.Mutex
	read  time.Time
	known map[netip.Addr]string
}

// MAC returns it in the form of Record.MAC; empty if it is not known. The table
// is read again once a second at most.
func (n *Neighbours) MAC(ip netip.Addr, now time.Time) string {
	ip = ip.Unmap().WithZone("")
	if !ip.IsValid() || ip.IsLoopback() {
		return ""
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if since := now.Sub(n.read); since < 0 || since >= neighboursFor || n.known == nil {
		n.known, n.read = neighbours(), now
	}
	return n.known[ip]
}
