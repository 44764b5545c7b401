package delivery

import (
	"bufio"
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/wire"
)

// Streams that are served at a time; more are told that the server is busy.
// Those of acknowledgements, which last, are counted apart.
const (
	servedAtATime   = 64
	servedOfOnePeer = 8
)

// server answers fetch requests and sessions of reconciliation, and acknowledges.
// Its goroutines are the streams'.
type server struct {
	s      *Service
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex
	closed bool
	brief  serving // fetch and sync
	acking serving
}

// serving counts streams.
type serving struct {
	of    map[peer.ID]int
	total int
}

func newServer(s *Service) *server {
	ctx, cancel := context.WithCancel(context.Background())
	return &server{
		s: s, ctx: ctx, cancel: cancel,
		brief: serving{of: make(map[peer.ID]int)}, acking: serving{of: make(map[peer.ID]int)},
	}
}

// close ends what is being served and waits.
func (v *server) close() {
	v.mu.Lock()
	v.closed = true
	v.mu.Unlock()
	v.cancel()
	v.wg.Wait()
}

// enter counts a stream in; leave must follow when it is not closed.
func (v *server) enter(n *serving, p peer.ID) (busy, closed bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return false, true
	}
	v.wg.Add(1)
	n.of[p]++
	n.total++
	return n.total > servedAtATime || n.of[p] > servedOfOnePeer, false
}

func (v *server) leave(n *serving, p peer.ID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	n.total--
	if n.of[p]--; n.of[p] == 0 {
		delete(n.of, p)
	}
	v.wg.Done()
}

// bareFetch serves the logs of rooms by id.
func (v *server) bareFetch(stream network.Stream) {
	v.handle(stream, stream.Conn().RemotePeer(), wire.ForFetch, event.LogID{})
}

// bareSync compares the logs of rooms.
func (v *server) bareSync(stream network.Stream) {
	v.handle(stream, stream.Conn().RemotePeer(), wire.ForSync, event.LogID{})
}

// bareAcks acknowledges what is stored of rooms.
func (v *server) bareAcks(stream network.Stream) {
	v.handle(stream, stream.Conn().RemotePeer(), wire.ForAcks, event.LogID{})
}

// handle serves one stream of p for a purpose of package wire: about the log of
// a pair, or if that is zero, of rooms.
func (v *server) handle(stream Stream, p peer.ID, purpose string, pair event.LogID) {
	n := &v.brief
	if purpose == wire.ForAcks {
		n = &v.acking
	}
	busy, closed := v.enter(n, p)
	if closed {
		_ = stream.Reset()
		return
	}
	defer v.leave(n, p)
	stop := context.AfterFunc(v.ctx, func() { _ = stream.Reset() })
	defer stop()
	late := time.AfterFunc(fetchTime, func() { _ = stream.Reset() })
	defer late.Stop()
	o := &opening{stream, bufio.NewReaderSize(stream, 4096), p, pair, busy}
	var result string
	var err error
	switch purpose {
	case wire.ForSync:
		end := time.Now().Add(servedTime)
		result, err = v.serveSync(o, func() { late.Reset(min(idle, time.Until(end))) })
		v.s.metrics.compared.WithLabelValues(result).Inc()
	case wire.ForAcks:
		result, err = v.serveAcks(o, func() { late.Reset(ackIdle + fetchTime) })
		v.s.metrics.acked.WithLabelValues(result).Inc()
	default:
		result, err = v.serveFetch(o)
		v.s.metrics.served.WithLabelValues(result).Inc()
	}
	if err != nil {
		v.s.log.Debug("stream not served", "peer", p, "for", purpose, "err", err)
		_ = stream.Reset()
		return
	}
	_ = stream.Close()
}

// opening is the beginning of a stream that is served.
type opening struct {
	stream io.ReadWriter
	in     *bufio.Reader
	p      peer.ID
	pair   event.LogID // whose log alone is served; zero: those of rooms
	busy   bool        // too much else is served
}

// open reads the request that a stream begins with, of at most limit bytes, and
// says whether it is served. If it is not, that was answered, and result is for
// counting.
func (v *server) open(o *opening, limit int, decode func([]byte) (event.LogID, error)) (result string, err error) {
	if o.busy {
		return "busy", writeStatus(o.stream, statusBusy)
	}
	data, err := wire.ReadFrame(o.in, limit)
	if err != nil {
		return "unread", err
	}
	log, err := decode(data)
	if err != nil {
		return "malformed", err
	}
	if !v.s.budgets.requests.Take(o.p, 1) || !v.s.budgets.served.Solvent(o.p) {
		return "busy", writeStatus(o.stream, statusBusy)
	}
	if !v.serves(log, o.pair) {
		return "no-log", writeStatus(o.stream, statusNoLog)
	}
	return "", nil
}

// serveFetch reads one request and answers it. It returns the result for
// counting.
func (v *server) serveFetch(o *opening) (result string, err error) {
	var r *request
	result, err = v.open(o, maxRequest, func(b []byte) (log event.LogID, err error) {
		r, err = decodeRequest(b)
		return r.log, err
	})
	if result != "" {
		return result, err
	}
	payloads, cost, err := collect(v.s.cfg.Store, r)
	v.s.budgets.served.Charge(o.p, cost)
	if err != nil {
		return "failed", errors.Join(err, writeStatus(o.stream, statusFailed))
	}
	return "ok", reply(o.stream, payloads)
}

// serves says who may ask for which log: any admitted peer for a public room
// that is joined here, over a bare stream; the two of a direct chat for theirs,
// over a sealed one; nobody for anything else.
func (v *server) serves(log, pair event.LogID) bool {
	l := v.s.Log(log)
	return l != nil && (l.direct && log == pair || !l.direct && pair == event.LogID{})
}

func reply(stream io.Writer, payloads [][]byte) error {
	w := bufio.NewWriterSize(stream, 16<<10)
	if err := writeStatus(w, statusOK); err != nil {
		return err
	}
	for _, b := range append(payloads, nil) { // an empty frame ends the reply
		if err := wire.WriteFrame(w, b); err != nil {
			return err
		}
	}
	return w.Flush()
}
