package registrar

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-chat/parley/registrar/internal/places"
)

// pipes is a listener whose connections are pipes: net.Pipe keeps deadlines in
// fake time.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) dial() net.Conn {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// desk is a registrar's server alone, before a handler that reads what is sent.
func desk(handler http.HandlerFunc) *Registrar {
	r := &Registrar{log: slog.New(slog.DiscardHandler), ended: make(chan struct{}), calls: places.NewSites(maxUnderWay, maxUnderWayEach)}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.mux = r.bounded(http.MaxBytesHandler(handler, 2*maxRequest))
	return r
}

func reads(w http.ResponseWriter, req *http.Request) {
	if _, err := io.Copy(io.Discard, req.Body); err != nil {
		http.Error(w, "", http.StatusBadRequest)
	}
}

// A caller who says nothing, or says it slowly, is ended: after the time for the
// head of a request, for all of it, or between two.
func TestSlowCallersAreEnded(t *testing.T) {
	for name, test := range map[string]struct {
		says string
		then string // once a second, for ever
		most time.Duration
	}{
		"nothing":     {"", "", headerTime},
		"slow header": {"POST /v1/nodes HTTP/1.1\r\nHost: x\r\n", "X: y\r\n", headerTime},
		"slow body":   {"POST /v1/nodes HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n", "x", requestTime},
		"then idle":   {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "", idleTime},
		"half HTTP/2": {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x10\x01\x04\x00\x00\x00\x01\x82", "", idleTime},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, l := desk(reads), newPipes()
				if err := r.serve(l); err != nil {
					t.Fatal(err)
				}
				begin := time.Now()
				c := l.dial()
				var caller sync.WaitGroup
				caller.Go(func() {
					_, err := io.WriteString(c, test.says)
					for err == nil && test.then != "" {
						time.Sleep(time.Second)
						_, err = io.WriteString(c, test.then)
					}
				})
				_, _ = io.Copy(io.Discard, c) // until the registrar hangs up
				if held := time.Since(begin); held > test.most+time.Second {
					t.Errorf("held for %v", held)
				}
				_ = c.Close()
				caller.Wait()
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Calls that last are turned away when an address has too many, before anything of
// them is read; others go on.
func TestCallsUnderWayAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := desk(reads)
		defer r.Close()
		one, other := caller{addr: netip.MustParseAddr("192.0.2.1")}, caller{addr: netip.MustParseAddr("192.0.2.2")}
		var ends []func()
		for range maxUnderWayEach {
			_, end, ok := r.begin(one)
			if !ok {
				t.Fatal("too few")
			}
			ends = append(ends, end)
		}
		if _, _, ok := r.begin(one); ok {
			t.Error("one address has no bound")
		}
		_, end, ok := r.begin(other)
		if !ok {
			t.Fatal("another address is kept out")
		}
		for _, end := range append(ends, end) {
			end()
		}
	})
}

// Close waits for a call that takes longer than the grace: nothing of it is left
// when the data directory is given back. So does a second Close.
func TestCloseWaitsForCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := false
		begun := make(chan struct{})
		r, l := desk(func(http.ResponseWriter, *http.Request) {
			close(begun)
			time.Sleep(time.Minute) // the disk
			ended = true
		}), newPipes()
		if err := r.serve(l); err != nil {
			t.Fatal(err)
		}
		c := l.dial()
		defer c.Close()
		go func() { _, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n") }()
		<-begun
		go func() { _ = r.Close() }()
		synctest.Wait()
		if err := r.Close(); err != nil || !ended {
			t.Errorf("ended %v, %v", ended, err)
		}
		if err := r.serve(newPipes()); !errors.Is(err, ErrServe) {
			t.Errorf("serves after Close: %v", err)
		}
		if _, _, ok := r.begin(caller{}); ok {
			t.Error("a call begins after Close")
		}
	})
}

// Of connections one address has its share; the next is hung up on, and who comes
// from elsewhere is heard.
func TestTheCrowdIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := func(ip string) net.Conn {
			c, _ := net.Pipe()
			return comesFrom{c, &net.TCPAddr{IP: net.ParseIP(ip), Port: 1}}
		}
		l := newPipes()
		c := &crowd{l, places.NewSites(3, 2)}
		go func() {
			for _, ip := range []string{"2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1"} {
				l.conns <- from(ip)
			}
		}()
		var got []net.Conn
		for range 3 {
			conn, err := c.Accept()
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, conn)
		}
		if a := newCaller(got[2]).addr; a != netip.MustParseAddr("192.0.2.1") {
			t.Errorf("the third is of %v", a)
		}
		for _, conn := range got {
			_, _ = conn.Close(), conn.Close()
		}
		if _, ok := c.places.Enter(netip.Addr{}); !ok {
			t.Error("places are not given back")
		}
	})
}

type comesFrom struct {
	net.Conn
	addr net.Addr
}

func (c comesFrom) RemoteAddr() net.Addr { return c.addr }
