package lan

import (
	"errors"
	"math/rand/v2"
	"time"
)

// RFC 6762 §6: an answer to a question that several may answer waits 20 to
// 120 ms, and a record is not multicast twice within a second.
const (
	answerMin   = 20 * time.Millisecond
	answerSpan  = 100 * time.Millisecond
	answerEvery = time.Second
)

// sendDue sends what is due on a link.
func (l *loop) sendDue(k *link, now time.Time) {
	if len(k.steps) > 0 && !k.steps[0].After(now) {
		k.steps = k.steps[1:]
		l.send(k, l.names.question())
		l.announceOn(k, now)
		return
	}
	if !k.announce.After(now) || !k.answer.IsZero() && !k.answer.After(now) {
		l.announceOn(k, now)
	}
}

// announceOn multicasts this node's records. An announcement answers any
// pending question and puts the periodic one off.
func (l *loop) announceOn(k *link, now time.Time) {
	k.answer, k.answered = time.Time{}, now
	k.announce = now.Add(jitter(announceEvery))
	if len(k.addrs) == 0 {
		return
	}
	l.send(k, l.names.answer(record{id: l.self.ID, addrs: k.addrs, ips: k.hostIPs(), ttl: recordTTL}))
}

// plan plans the answer to a question heard on a link.
func (l *loop) plan(k *link, now time.Time) {
	if !k.answer.IsZero() || len(k.addrs) == 0 {
		return
	}
	k.answer = now.Add(answerMin + rand.N(answerSpan))
	if earliest := k.answered.Add(answerEvery); k.answer.Before(earliest) {
		k.answer = earliest
	}
}

// goodbye withdraws this instance's records on every link. What is already
// gone cannot be told, and need not.
func (l *loop) goodbye() {
	for _, k := range l.links {
		if len(k.addrs) > 0 && !k.answered.IsZero() {
			_ = l.transmit(k, l.names.answer(record{id: l.self.ID, addrs: k.addrs, ips: k.hostIPs()}))
		}
	}
}

// send multicasts on a link and keeps Status up to date about it.
func (l *loop) send(k *link, packet []byte) {
	err := l.transmit(k, packet)
	switch {
	case err != nil:
		l.sendFails = true
		l.fail("sending on "+k.name, err)
	case l.sendFails:
		l.sendFails = false
		l.svc.update(func(st *Status) { st.LastError = "" })
	}
}

// transmit multicasts in each family in which the link has an address.
func (l *loop) transmit(k *link, packet []byte) error {
	if packet == nil {
		return errors.New("the announcement cannot be encoded")
	}
	var errs []error
	for f, s := range l.socks {
		if s != nil && k.speaks(family(f)) {
			errs = append(errs, s.send(packet, k.netIface()))
		}
	}
	return errors.Join(errs...)
}

// untilNext says how long the loop may sleep.
func (l *loop) untilNext(now time.Time) time.Duration {
	next := l.mono.Add(pollEvery)
	for _, k := range l.links {
		if len(k.steps) > 0 && k.steps[0].Before(next) {
			next = k.steps[0]
		}
		if !k.answer.IsZero() && k.answer.Before(next) {
			next = k.answer
		}
	}
	return max(next.Sub(now), 0)
}

func jitter(d time.Duration) time.Duration { return d*3/4 + rand.N(d/2) }
