package delivery

import (
	"bufio"
	"context"
	"errors"
	"io"
	"sync"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/wire"
)

// Streams that are served at a time; more are told that the server is busy.
const (
	servedAtATime   = 16
	servedOfOnePeer = 4
)

// server answers fetch requests. Its goroutines are the streams'.
type server struct {
	s      *Service
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	serving map[peer.ID]int
	total   int
}

func newServer(s *Service) *server {
	ctx, cancel := context.WithCancel(context.Background())
	return &server{s: s, ctx: ctx, cancel: cancel, serving: make(map[peer.ID]int)}
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
func (v *server) enter(p peer.ID) (busy, closed bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return false, true
	}
	v.wg.Add(1)
	v.serving[p]++
	v.total++
	return v.total > servedAtATime || v.serving[p] > servedOfOnePeer, false
}

func (v *server) leave(p peer.ID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.total--
	if v.serving[p]--; v.serving[p] == 0 {
		delete(v.serving, p)
	}
	v.wg.Done()
}

// bare serves the logs of rooms.
func (v *server) bare(stream network.Stream) {
	v.handle(stream, stream.Conn().RemotePeer(), event.LogID{})
}

// handle serves one stream of p: the log of a pair, or if that is zero, rooms.
func (v *server) handle(stream Stream, p peer.ID, pair event.LogID) {
	busy, closed := v.enter(p)
	if closed {
		_ = stream.Reset()
		return
	}
	defer v.leave(p)
	ctx, cancel := context.WithTimeout(v.ctx, fetchTime)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = stream.Reset() })
	defer stop()
	result, err := v.serve(stream, p, pair, busy)
	v.s.metrics.served.WithLabelValues(result).Inc()
	if err != nil {
		v.s.log.Debug("fetch not served", "peer", p, "err", err)
		_ = stream.Reset()
		return
	}
	_ = stream.Close()
}

// serve reads one request and answers it. It returns the result for counting.
func (v *server) serve(stream Stream, p peer.ID, pair event.LogID, busy bool) (string, error) {
	if busy {
		return "busy", reply(stream, statusBusy, nil)
	}
	data, err := wire.ReadFrame(bufio.NewReaderSize(stream, 512), maxRequest)
	if err != nil {
		return "unread", err
	}
	r, err := decodeRequest(data)
	if err != nil {
		return "malformed", err
	}
	if !v.s.budgets.requests.Take(p, 1) || !v.s.budgets.served.Solvent(p) {
		return "busy", reply(stream, statusBusy, nil)
	}
	if !v.serves(r.log, pair) {
		return "no-log", reply(stream, statusNoLog, nil)
	}
	payloads, read, err := collect(v.s.cfg.Store, r)
	v.s.budgets.served.Charge(p, read)
	if err != nil {
		return "failed", errors.Join(err, reply(stream, statusFailed, nil))
	}
	return "ok", reply(stream, statusOK, payloads)
}

// serves says who may ask for which log: any admitted peer for a public room
// that is joined here, over a bare stream; the two of a direct chat for theirs,
// over a sealed one; nobody for anything else.
func (v *server) serves(log, pair event.LogID) bool {
	l := v.s.Log(log)
	return l != nil && (l.direct && log == pair || !l.direct && pair == event.LogID{})
}

func reply(stream io.Writer, st status, payloads [][]byte) error {
	w := bufio.NewWriterSize(stream, 16<<10)
	if err := wire.WriteFrame(w, []byte{byte(st)}); err != nil {
		return err
	}
	if st != statusOK {
		return w.Flush()
	}
	for _, b := range append(payloads, nil) { // an empty frame ends the reply
		if err := wire.WriteFrame(w, b); err != nil {
			return err
		}
	}
	return w.Flush()
}
