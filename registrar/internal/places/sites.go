package places

import "net/netip"

// Sites are places for callers by their addresses. Those on loopback, who have the
// machine already, have as many of their own and no bound for each: so they take
// none of others', nor others theirs.
type Sites struct{ away, local *Places[netip.Addr] }

// NewSites returns so many places for all sites, of which one gets at most each.
func NewSites(all, each int) *Sites {
	return &Sites{away: New[netip.Addr](all, each), local: New[netip.Addr](all, all)}
}

// Enter takes a place, as in [Places.Enter].
func (s *Sites) Enter(a netip.Addr) (leave func(), ok bool) {
	if a.Unmap().IsLoopback() {
		return s.local.Enter(netip.Addr{})
	}
	return s.away.Enter(Site(a))
}
