package liveness

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/multiformats/go-multistream"
)

// ProtocolID is libp2p's ping: 32 bytes come back as they are.
const ProtocolID = ping.ID

const (
	// restTime ends a ping stream that is not needed: libp2p's service ends one
	// after 10 s without a ping.
	restTime = 5 * time.Second
	// idleTime ends an inbound ping stream on which nothing comes.
	idleTime = 15 * time.Second
	// unservedPause follows a ping stream that failed otherwise than by silence.
	unservedPause = time.Second
)

var (
	errSilent  = errors.New("peer is silent") // nothing was heard for Timeout
	errStalled = errors.New("ping is late, but the peer lives")
)

// watch pings one connection until it is closed, or closes it.
func (m *Monitor) watch(w *watched) {
	defer m.forget(w)
	stalled := false
	for m.ctx.Err() == nil && !w.conn.IsClosed() {
		if !stalled && !m.rest(w, time.Time{}) {
			return
		}
		err := m.pingStream(w, stalled)
		stalled = errors.Is(err, errStalled)
		switch {
		case err == nil, stalled: // the stream is over or late, the next one follows
		case errors.Is(err, errSilent):
			m.log.Info("connection is dead", "peer", w.conn.RemotePeer(), "addr", w.conn.RemoteMultiaddr())
			m.dead(w.conn)
			_ = w.conn.Close()
			return
		default: // the peer does not serve ping now
			m.pause(unservedPause)
		}
	}
}

// pingStream pings over one stream. It returns nil when that is not needed for a
// while, or when the peer answered and then ended the stream, as libp2p's service
// does after 30 s; errSilent; or the error that ended it.
func (m *Monitor) pingStream(w *watched, stalled bool) error {
	s, err := m.open(w, stalled)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(m.ctx, func() { _ = s.Reset() })
	defer stop()
	defer func() { _ = s.Reset() }()
	for answered := false; ; answered = true {
		rtt, err := m.ping(w, s)
		if answered && err != nil && !errors.Is(err, errSilent) && !errors.Is(err, errStalled) {
			return nil
		}
		if err != nil {
			return err
		}
		m.pong(w, rtt)
		if !m.rest(w, time.Now().Add(restTime)) {
			return nil
		}
	}
}

// rest waits until w is to be pinged. It reports false if that is not before
// end, unless end is the zero time, or if the connection or the monitor closes
// meanwhile.
func (m *Monitor) rest(w *watched, end time.Time) bool {
	for d := m.due(w); d > 0; d = m.due(w) {
		m.countLoss(w)
		if !end.IsZero() && time.Until(end) < d {
			return false
		}
		if !m.pause(d) || w.conn.IsClosed() {
			return false
		}
	}
	return true
}

// open opens and negotiates a ping stream. When the one before it stalled, the
// peer has no more time than since it was last heard.
func (m *Monitor) open(w *watched, stalled bool) (network.Stream, error) {
	begin := time.Now()
	if stalled {
		begin = m.lastHeard(w)
	}
	ctx, cancel := context.WithDeadline(network.WithAllowLimitedConn(m.ctx, "ping"), begin.Add(Timeout))
	defer cancel()
	s, err := w.conn.NewStream(ctx)
	if err != nil {
		return nil, m.judge(w, begin, err)
	}
	stop := context.AfterFunc(m.ctx, func() { _ = s.Reset() })
	defer stop()
	_ = s.SetDeadline(begin.Add(Timeout))
	if err = s.SetProtocol(ProtocolID); err == nil {
		err = multistream.SelectProtoOrFail(ProtocolID, s)
	}
	if err != nil {
		_ = s.Reset()
		return nil, m.judge(w, begin, err)
	}
	return s, nil
}

// ping sends one ping and waits for the pong as long as the peer gives signs
// of life.
func (m *Monitor) ping(w *watched, s network.Stream) (time.Duration, error) {
	m.pings(w)
	var out, in [ping.PingSize]byte
	_, _ = rand.Read(out[:]) // crypto/rand never fails
	sent := time.Now()
	_ = s.SetWriteDeadline(sent.Add(Timeout))
	if _, err := s.Write(out[:]); err != nil {
		return 0, m.judge(w, sent, err)
	}
	for have := 0; have < len(in); {
		_ = s.SetReadDeadline(later(m.lastHeard(w), sent).Add(Timeout))
		n, err := s.Read(in[have:])
		have += n
		if err == nil || have == len(in) {
			continue
		}
		if err = m.judge(w, sent, err); !errors.Is(err, errStalled) {
			return 0, err
		}
	}
	if in != out {
		return 0, errors.New("pong does not match its ping")
	}
	return time.Since(sent), nil
}

// judge says what an error of something begun at that time means: errSilent;
// errStalled, out of time though the peer lives; or what it is.
func (m *Monitor) judge(w *watched, sent time.Time, err error) error {
	if !timedOut(err) {
		return err
	}
	if time.Since(later(m.lastHeard(w), sent)) < Timeout {
		return errStalled
	}
	return errSilent
}

func timedOut(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// pause reports false if the monitor closes meanwhile.
func (m *Monitor) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-m.ctx.Done():
		return false
	}
}

// serve answers pings; strangers are served too, as libp2p's peers expect.
func (m *Monitor) serve(s network.Stream) {
	if err := s.Scope().SetService(ping.ServiceName); err != nil {
		_ = s.Reset()
		return
	}
	stop := context.AfterFunc(m.ctx, func() { _ = s.Reset() })
	defer stop()
	var buf [ping.PingSize]byte
	for {
		_ = s.SetDeadline(time.Now().Add(idleTime))
		_, err := io.ReadFull(s, buf[:])
		if errors.Is(err, io.EOF) {
			_ = s.Close()
			return
		}
		if err == nil {
			m.heardOn(s.Conn())
			_, err = s.Write(buf[:])
		}
		if err != nil {
			_ = s.Reset()
			return
		}
	}
}
