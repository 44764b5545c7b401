package registrar

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// caller is where a call comes from.
type caller struct {
	addr      netip.Addr // zero: unknown, as through a relay
	multiaddr string
	peer      peer.ID // as libp2p has proven it, over a stream; empty over TLS
}

type callerKey struct{}

// withCaller notes whose connection it is: the http.Server's ConnContext.
func withCaller(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, callerKey{}, newCaller(c))
}

// newCaller takes an address from the connection alone: headers that name another
// one are anybody's to write.
func newCaller(conn net.Conn) (c caller) {
	a := conn.RemoteAddr()
	if s, ok := conn.(interface{ Peer() peer.ID }); ok {
		c.peer = s.Peer()
	}
	if m, err := manet.FromNetAddr(a); err == nil {
		c.multiaddr = m.String()
	}
	if p, err := netip.ParseAddrPort(a.String()); err == nil {
		c.addr = p.Addr().Unmap().WithZone("")
	}
	return c
}

// callerAt is the caller at a multiaddr.
func callerAt(a ma.Multiaddr) caller {
	c := caller{multiaddr: a.String()}
	if ip, err := manet.ToIP(a); err == nil {
		addr, _ := netip.AddrFromSlice(ip)
		c.addr = addr.Unmap()
	}
	return c
}

func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	return c
}

// retryAfter is the header's value: whole seconds, rounded up.
func retryAfter(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}
