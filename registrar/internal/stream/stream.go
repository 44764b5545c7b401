// Package stream carries registration over libp2p streams, in both directions, as
// if they were TCP connections: so HTTP runs over them.
package stream

import (
	"context"
	"math"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/parley-chat/parley/registrar/internal/places"
)

// Protocol is the stream protocol of registration in the network with this tag.
//
// spec: 11-registrars §3.1
func Protocol(tag string) protocol.ID { return protocol.ID("/parley/" + tag + "/register/1.0.0") }

// Conn is a stream as a connection.
type Conn struct{ network.Stream }

// Peer is who has the other end, as libp2p has proven.
func (c Conn) Peer() peer.ID { return c.Conn().RemotePeer() }

// LocalAddr and RemoteAddr are those of the connection below, as far as they are
// of IP; else they are the multiaddr's text.
func (c Conn) LocalAddr() net.Addr  { return netAddr(c.Conn().LocalMultiaddr()) }
func (c Conn) RemoteAddr() net.Addr { return netAddr(c.Conn().RemoteMultiaddr()) }

type textAddr string

func (textAddr) Network() string  { return "libp2p" }
func (a textAddr) String() string { return string(a) }

func netAddr(a ma.Multiaddr) net.Addr {
	if n, err := manet.ToNetAddr(a); err == nil {
		return n
	}
	return textAddr(a.String())
}

// Dial opens a stream to p, to which the host is connected or knows the way.
func Dial(ctx context.Context, h host.Host, p peer.ID, tag string) (net.Conn, error) {
	s, err := h.NewStream(ctx, p, Protocol(tag))
	if err != nil {
		return nil, err
	}
	return Conn{s}, nil
}

// Limits bound what streams may cost; what is above is reset.
type Limits struct {
	Each      int                // streams at once of one peer,
	Site, All int                // of the strangers at one address, and of all of them
	Known     func(peer.ID) bool // no strangers: places that those take are not theirs
	Life      time.Duration      // after which a stream is closed, but for those of
	Admitted  func(peer.ID) bool // who is in the network, as long as they are
	// Spare keeps the node from closing a peer's connections until release is called.
	Spare func(peer.ID) (release func())
}

// Listener hands out the streams that peers open. It is a net.Listener.
type Listener struct {
	host   host.Host
	id     protocol.ID
	limits Limits
	conns  chan net.Conn
	done   chan struct{}
	close  sync.Once

	peers     *places.Places[peer.ID]
	strangers *places.Places[netip.Addr]
}

// Listen begins to take streams of the protocol on h.
func Listen(h host.Host, id protocol.ID, limits Limits) *Listener {
	l := &Listener{
		host: h, id: id, limits: limits, conns: make(chan net.Conn), done: make(chan struct{}),
		peers:     places.New[peer.ID](math.MaxInt, limits.Each),
		strangers: places.New[netip.Addr](limits.All, limits.Site),
	}
	h.SetStreamHandler(id, l.take)
	return l
}

// take waits until the stream is accepted, its life ends or Close.
func (l *Listener) take(s network.Stream) {
	leave, ok := l.enter(s.Conn())
	if !ok {
		_ = s.Reset()
		return
	}
	release := l.limits.Spare(s.Conn().RemotePeer())
	c := &counted{Conn: Conn{s}, ended: make(chan struct{})}
	c.leave = sync.OnceFunc(func() { leave(); release(); close(c.ended) })
	c.mu.Lock()
	c.end = time.AfterFunc(l.limits.Life, func() { l.outlived(c) })
	c.mu.Unlock()
	select {
	case l.conns <- c:
	case <-c.ended:
	case <-l.done:
		_ = c.Close()
	}
}

// outlived ends a stream, or gives it another life.
func (l *Listener) outlived(c *counted) {
	if !l.limits.Admitted(c.Peer()) {
		_ = c.Close()
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.end.Reset(l.limits.Life)
	}
}

func (l *Listener) enter(c network.Conn) (leave func(), ok bool) {
	own, ok := l.peers.Enter(c.RemotePeer())
	if !ok || l.limits.Known(c.RemotePeer()) {
		return own, ok
	}
	shared, ok := l.strangers.Enter(siteOf(c))
	if !ok {
		own()
		return nil, false
	}
	return func() { own(); shared() }, true
}

// siteOf is the address to account a stranger to; all without an IP share one.
func siteOf(c network.Conn) netip.Addr {
	ip, err := manet.ToIP(c.RemoteMultiaddr())
	if err != nil {
		return netip.Addr{}
	}
	a, _ := netip.AddrFromSlice(ip)
	return places.Site(a)
}

// counted gives its place back when it is closed, and closes both directions: a
// peer that does not end its own keeps nothing.
type counted struct {
	Conn
	leave func()
	ended chan struct{} // closed with it

	mu     sync.Mutex
	end    *time.Timer
	closed bool
}

func (c *counted) Close() error {
	c.mu.Lock()
	c.closed = true
	c.end.Stop()
	c.mu.Unlock()
	c.leave()
	err := c.Stream.Close()
	_ = c.CloseRead()
	return err
}

// Accept waits for the next stream.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close takes no more streams. Those that were accepted go on.
func (l *Listener) Close() error {
	l.close.Do(func() {
		l.host.RemoveStreamHandler(l.id)
		close(l.done)
	})
	return nil
}

// Addr is the protocol's name.
func (l *Listener) Addr() net.Addr { return textAddr(l.id) }
