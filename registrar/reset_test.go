package registrar

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/parley-chat/parley/api/parley/v1/parleyv1connect"
)

const (
	resets    = 5000 // streams that are opened and reset at once
	stuckPath = "/stuck"
	// spareGoroutines are those of two connections and of the honest caller.
	spareGoroutines = 40
	spareHeap       = 16 << 20 // bytes
)

// counted counts the calls that run, of which those to stuckPath do not end before
// release is closed, whatever becomes of their caller.
type counted struct {
	next          http.Handler
	release       chan struct{}
	running, peak atomic.Int64
	all           atomic.Int64
}

func (c *counted) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.ProtoMajor != 2 {
		c.next.ServeHTTP(w, req)
		return
	}
	c.all.Add(1)
	n := c.running.Add(1)
	defer c.running.Add(-1)
	for old := c.peak.Load(); n > old && !c.peak.CompareAndSwap(old, n); old = c.peak.Load() {
	}
	if req.URL.Path == stuckPath {
		<-c.release
		return
	}
	c.next.ServeHTTP(w, req)
}

// resetter opens streams and resets them in the same breath (CVE-2023-44487).
type resetter struct {
	conn   net.Conn
	out    *bufio.Writer
	framer *http2.Framer
	next   uint32
	pong   chan struct{}      // a ping was answered: all before it was looked at
	ended  chan http2.ErrCode // the reader has ended: why the registrar hung up, if it said so
}

func newResetter(addr string) (*resetter, error) {
	conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		return nil, err
	}
	r := &resetter{conn: conn, out: bufio.NewWriterSize(conn, 32<<10), next: 1, pong: make(chan struct{}, 1), ended: make(chan http2.ErrCode, 1)}
	r.framer = http2.NewFramer(r.out, conn)
	_, err = r.out.WriteString(http2.ClientPreface)
	if err := errors.Join(err, r.framer.WriteSettings(), r.out.Flush()); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	go r.read() // ends with conn; close waits for it
	return r, nil
}

func (r *resetter) read() {
	why := http2.ErrCodeNo
	for {
		f, err := r.framer.ReadFrame()
		if err != nil {
			r.ended <- why
			return
		}
		switch f := f.(type) {
		case *http2.GoAwayFrame:
			why = f.ErrCode
		case *http2.PingFrame:
			r.pong <- struct{}{}
		}
	}
}

// flood opens and resets up to n streams, each second one with a whole call, and returns how many the registrar let it.
func (r *resetter) flood(path string, n int) (sent int) {
	for ; sent < n; sent++ {
		var block bytes.Buffer
		enc := hpack.NewEncoder(&block)
		for _, h := range [][2]string{
			{":method", "POST"}, {":scheme", "https"}, {":authority", "x"}, {":path", path}, {"content-type", "application/proto"},
		} {
			_ = enc.WriteField(hpack.HeaderField{Name: h[0], Value: h[1], Sensitive: true})
		}
		err := r.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: r.next, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: r.next%4 == 1})
		if err == nil {
			err = r.framer.WriteRSTStream(r.next, http2.ErrCodeCancel)
		}
		if err != nil {
			return sent
		}
		r.next += 2
	}
	_ = r.out.Flush() // or the registrar has hung up, which is the same to who floods
	return sent
}

// settle waits until the registrar has looked at all of it, and reports whether it has
// not hung up.
func (r *resetter) settle() bool {
	_ = errors.Join(r.framer.WritePing(false, [8]byte{1}), r.out.Flush()) // if it has hung up the reader ends
	select {
	case <-r.pong:
		return true
	case why := <-r.ended:
		r.ended <- why
		return false
	}
}

func (r *resetter) close() http2.ErrCode {
	_ = r.conn.Close()
	return <-r.ended
}

// countedMinistry serves once more, over what counts calls.
func countedMinistry(t *testing.T) (*ministry, *counted, string) {
	m := newMinistry(t)
	c := &counted{next: m.mux, release: make(chan struct{})}
	m.mux = c
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := Certificate(m.node.Dir(), "", "", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Serve(l, cert); err != nil {
		t.Fatal(err)
	}
	return m, c, l.Addr().String()
}

// Who opens streams and resets them at once has no more calls under way than a
// connection may have, and an honest caller is answered beside him.
func TestRapidResetsCostLittle(t *testing.T) {
	m, calls, addr := countedMinistry(t)
	honest := m.newcomer()
	honest.Code = m.code()
	m.admits(honest, "code") // all that starts once has started
	goroutines, heap := runtime.NumGoroutine(), heapInUse()

	var attack sync.WaitGroup
	var once sync.Once
	begun, sent, conns := make(chan struct{}), 0, 0
	attack.Go(func() {
		defer once.Do(func() { close(begun) })
		for ; sent < resets && conns < resets; conns++ {
			r, err := newResetter(addr)
			if err != nil {
				t.Error(err)
				return
			}
			for alive := true; alive && sent < resets; alive = r.settle() {
				sent += r.flood(parleyv1connect.RegistrarServiceChallengeProcedure, maxCalls)
				if sent > resets/10 {
					once.Do(func() { close(begun) })
				}
			}
			r.close()
		}
	})
	<-begun
	m.admits(honest, "code")
	most := runtime.NumGoroutine()
	attack.Wait()
	peak, all := calls.peak.Load(), calls.all.Load()
	t.Logf("%d streams over %d connections, %d calls, %d at once, %d goroutines more", sent, conns, all, peak, most-goroutines)
	if sent < resets || all < resets/10 || peak > maxCalls*int64(conns) || most > goroutines+maxCalls+spareGoroutines {
		t.Errorf("%d streams, %d calls, %d at once, %d goroutines more", sent, all, peak, most-goroutines)
	}
	m.admits(honest, "code")
	if got := heapInUse() - heap; got > spareHeap {
		t.Errorf("%d bytes more are held", got)
	}
	for deadline := time.Now().Add(20 * time.Second); runtime.NumGoroutine() > goroutines+spareGoroutines; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, before %d", runtime.NumGoroutine(), goroutines)
		}
	}
}

// Calls that go on after their streams were reset, as those that wait for the disk do,
// count until they end: the connection has its 16, and is ended when many more wait.
func TestResetCallsCountUntilTheyEnd(t *testing.T) {
	m, calls, addr := countedMinistry(t)
	honest := m.newcomer()
	honest.Code = m.code()
	before := runtime.NumGoroutine()
	r, err := newResetter(addr)
	if err != nil {
		t.Fatal(err)
	}
	r.flood(stuckPath, resets)
	why := <-r.ended // by the registrar; who floods has not closed it
	if why != http2.ErrCodeEnhanceYourCalm {
		t.Errorf("ended with %v", why)
	}
	if got := calls.peak.Load(); got < 1 || got > maxCalls {
		t.Errorf("%d calls at once", got)
	}
	if got := runtime.NumGoroutine() - before; got > maxCalls+spareGoroutines {
		t.Errorf("%d goroutines more", got)
	}
	m.admits(honest, "code")
	close(calls.release)
	_ = r.conn.Close()
}

func heapInUse() int64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapInuse)
}
