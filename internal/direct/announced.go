package direct

import (
	"time"

	"github.com/parley-chat/parley/internal/event"
)

// announcedTime is how long nothing may come of what was announced before the
// logs are compared all the same.
const announcedTime = 10 * time.Second

// announce takes in where the other's chain ends. What he has for us he sends:
// the logs are compared when that has come, for else much of it would come
// twice, and at once if we lost something. spec: 07-direct §5
func (p *Pair) announce(l *link, at Place, lost bool) error {
	p.mu.Lock()
	l.announced = at
	p.mu.Unlock()
	_, known, err := p.s.cfg.Store.Batch(at.ID)
	if err != nil {
		return err
	}
	if lost || known || at.Seq == 0 {
		p.compare(l)
	}
	return nil
}

// compare has the logs compared, for what the stream does not bring: forks, and
// what was lost.
func (p *Pair) compare(l *link) {
	p.mu.Lock()
	l.announced = Place{}
	p.mu.Unlock()
	p.rep.Sync(p.peer)
}

// arrived notes that something of the other's is safe on disk.
func (p *Pair) arrived(b *event.Batch) {
	p.mu.Lock()
	l := p.link
	if l == nil || l.announced.Seq == 0 {
		p.mu.Unlock()
		return
	}
	l.came = time.Now()
	all := holds(b, l.announced)
	p.mu.Unlock()
	if all {
		p.compare(l)
	}
}

// Compared takes in that the logs were compared. Should the end of the own chain
// not be acknowledged and nothing be under way, it came back from the other: it
// is sent once more, and he acknowledges it. spec: 07-direct §5
func (p *Pair) Compared(seq uint64, inSync bool) {
	last, err := p.s.cfg.Store.Author(p.log, p.s.cfg.Author)
	if err != nil {
		return // the next time
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if inSync && seq > p.rec.Whole {
		p.rec.Whole = seq
		p.changedLocked()
	}
	if p.link != nil && p.out.idle() && last.LastSeq > p.rec.Acked.Seq {
		p.out.restart(Place{Seq: last.LastSeq - 1})
		p.link.wakeUp()
	}
}

// despair has the logs compared when nothing comes of what was announced.
func (p *Pair) despair(l *link) {
	p.mu.Lock()
	waits := l.announced.Seq > 0 && time.Since(l.came) > announcedTime
	p.mu.Unlock()
	if waits {
		p.compare(l)
	}
}
