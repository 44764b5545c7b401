package client

import (
	"net"
	"sync"
)

// streams are those that a client has open, so that it can end them: a transport lets
// those alone that are in use, and would wait for one whose peer is gone.
type streams struct {
	mu     sync.Mutex
	closed bool
	open   map[*tracked]struct{}
}

// tracked is a stream that says when it is closed.
type tracked struct {
	net.Conn
	of *streams
}

// keep takes what was dialled.
func (s *streams) keep(c net.Conn, err error) (net.Conn, error) {
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		reset(c)
		return nil, net.ErrClosed
	}
	if s.open == nil {
		s.open = make(map[*tracked]struct{})
	}
	t := &tracked{c, s}
	s.open[t] = struct{}{}
	return t, nil
}

func (t *tracked) Close() error {
	t.of.mu.Lock()
	delete(t.of.open, t)
	t.of.mu.Unlock()
	return t.Conn.Close()
}

// close ends all that are open, and those that will be.
func (s *streams) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for t := range s.open {
		reset(t.Conn)
	}
	clear(s.open)
}

// reset waits for nobody, and both ends know.
func reset(c net.Conn) {
	if r, ok := c.(interface{ Reset() error }); ok {
		_ = r.Reset()
		return
	}
	_ = c.Close()
}
