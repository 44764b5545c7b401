package eventlog

import (
	"cmp"
	"maps"
	"slices"

	"github.com/parley-chat/parley/internal/event"
)

// model is the obvious slow store: a list.
type model struct {
	entries []Entry
	gone    []Entry // deleted by retention
	erased  map[event.ID]bool
	floor   map[event.LogID]uint64
	cuts    []Cut
	refused map[event.ID]bool // lately
	settled map[inLogOf]bool  // missing, and cut
}

type inLogOf struct {
	log event.LogID
	id  event.ID
}

func newModel() *model {
	return &model{
		erased: make(map[event.ID]bool), floor: make(map[event.LogID]uint64),
		refused: make(map[event.ID]bool), settled: make(map[inLogOf]bool),
	}
}

func (m *model) below(e *event.Event) bool { return secondOf(e.HLC) < m.floor[e.Log] }

// counts is what a cut means, in its own words.
func (c *Cut) counts(e *event.Event) bool {
	if e.Author != c.Author {
		return true
	}
	p, named := c.Named[e.Log]
	if !named {
		return e.HLC <= c.At
	}
	return e.Seq < p.Seq || e.Seq == p.Seq && e.ID == p.ID
}

func (m *model) isCut(e *event.Event) bool {
	return slices.ContainsFunc(m.cuts, func(c Cut) bool { return !c.counts(e) })
}

// setCuts deletes what does not count, and says how many. Of what retention deleted only seqs
// are known.
func (m *model) setCuts(cuts []Cut) int {
	was, _ := joinCuts(m.cuts)
	is, _ := joinCuts(cuts)
	if !maps.EqualFunc(was, is, (*authorCut).same) {
		clear(m.refused)
	}
	m.cuts = cuts
	before := len(m.entries)
	var cut []Entry
	m.entries = slices.DeleteFunc(m.entries, func(e Entry) bool {
		if !m.isCut(&e.Event) {
			return false
		}
		cut = append(cut, e)
		return true
	})
	for _, e := range cut {
		m.refuse(&e.Event)
	}
	m.settle()
	m.gone = slices.DeleteFunc(m.gone, func(e Entry) bool {
		return slices.ContainsFunc(cuts, func(c Cut) bool {
			p, named := c.Named[e.Event.Log]
			return c.Author == e.Event.Author && named && e.Event.Seq > p.Seq
		})
	})
	return before - len(m.entries)
}

// refuse notes that an event is cut. Who names it misses it no more.
func (m *model) refuse(e *event.Event) {
	m.refused[e.ID] = true
	m.settled[inLogOf{e.Log, e.ID}] = true
	m.settle()
}

// settle forgets what nothing names, or is there.
func (m *model) settle() {
	for x := range m.settled {
		names := func(e Entry) bool { return e.Event.Log == x.log && slices.Contains(e.Event.Parents, x.id) }
		if m.hasIn(x.log, x.id) || !slices.ContainsFunc(m.entries, names) {
			delete(m.settled, x)
		}
	}
}

// erase takes contents out, and says of how many that were not erased before.
func (m *model) erase(ids ...event.ID) (n int) {
	for i := range m.entries {
		e := &m.entries[i].Event
		if slices.Contains(ids, e.ID) && !m.erased[e.ID] {
			e.Content = nil
			m.erased[e.ID] = true
			n++
		}
	}
	return n
}

func (m *model) expire(now uint64) (ids []event.ID) {
	for i := range m.entries {
		if e := &m.entries[i].Event; e.Expiry > 0 && e.Expiry <= now && e.Content != nil {
			ids = append(ids, e.ID)
		}
	}
	m.erase(ids...)
	return ids
}

// retain deletes the events that went with a payload below the floor; whole says
// which payloads lie below it as a whole.
func (m *model) retain(log event.LogID, floor uint64, whole func(id event.ID) bool) {
	m.floor[log] = max(m.floor[log], floor)
	m.entries = slices.DeleteFunc(m.entries, func(e Entry) bool {
		if e.Event.Log != log || !m.below(&e.Event) || !whole(e.Event.ID) {
			return false
		}
		m.gone = append(m.gone, e)
		delete(m.erased, e.Event.ID)
		return true
	})
}

// rivals reports that another event has the place of one, or had it.
func (m *model) rivals(e *event.Event) bool {
	rival := func(o Entry) bool {
		return o.Event.ID != e.ID && o.Event.Log == e.Log && o.Event.Author == e.Author && o.Event.Seq == e.Seq
	}
	return slices.ContainsFunc(m.entries, rival) || slices.ContainsFunc(m.gone, rival)
}

func (m *model) has(id event.ID) bool {
	return slices.ContainsFunc(m.entries, func(e Entry) bool { return e.Event.ID == id })
}

func (m *model) hasIn(log event.LogID, id event.ID) bool {
	return slices.ContainsFunc(m.entries, func(e Entry) bool { return e.Event.ID == id && e.Event.Log == log })
}

// fill takes an event out that is stored without the content it has now.
func (m *model) fill(e *event.Event) bool {
	n := len(m.entries)
	m.entries = slices.DeleteFunc(m.entries, func(o Entry) bool {
		return o.Event.ID == e.ID && o.Event.Content == nil && e.Content != nil && !m.erased[e.ID] && !m.below(e) && !m.isCut(e)
	})
	return len(m.entries) < n
}

func (m *model) append(b *event.Batch, arrival uint64) (res Appended) {
	filled := make(map[event.ID]bool)
	for i := range b.Events {
		filled[b.Events[i].ID] = m.fill(&b.Events[i])
	}
	for i := range b.Events {
		e := b.Events[i]
		if m.isCut(&e) {
			res.Cut = append(res.Cut, i)
			m.refuse(&e)
		} else if m.below(&e) {
			res.Below = append(res.Below, i)
		}
		res.New = append(res.New, !m.has(e.ID) && !m.below(&e) && !m.isCut(&e))
		if !res.New[i] || filled[e.ID] {
			continue
		}
		if m.rivals(&e) {
			res.Forks = append(res.Forks, i)
		}
	}
	for i := range b.Events {
		if res.New[i] {
			e := Entry{Arrival: arrival + uint64(i), Event: b.Events[i]}
			if m.erased[e.Event.ID] { // before it was cut
				e.Event.Content = nil
			}
			m.entries = append(m.entries, e)
			res.Arrival = arrival
		}
	}
	for i := range b.Events {
		for _, p := range b.Events[i].Parents {
			if !res.New[i] || filled[b.Events[i].ID] || m.hasIn(b.Log(), p) {
				continue
			}
			if m.refused[p] {
				m.settled[inLogOf{b.Log(), p}] = true
			}
			if !m.settled[inLogOf{b.Log(), p}] && !slices.Contains(res.Missing, p) {
				res.Missing = append(res.Missing, p)
			}
		}
	}
	m.settle()
	return res
}

func (m *model) in(log event.LogID) (out []Entry) {
	for _, e := range m.entries {
		if e.Event.Log == log {
			e.Fork = m.rivals(&e.Event)
			out = append(out, e)
		}
	}
	return out
}

func (m *model) history(q Query) (out []Entry) {
	all := m.in(q.Log)
	slices.SortFunc(all, func(a, b Entry) int { return a.Position().Compare(b.Position()) })
	if q.Reverse {
		slices.Reverse(all)
	}
	for _, e := range all {
		p := e.Position()
		if q.Before != nil && p.Compare(*q.Before) >= 0 || q.After != nil && p.Compare(*q.After) <= 0 {
			continue
		}
		if out = append(out, e); len(out) == q.Limit {
			break
		}
	}
	return out
}

func (m *model) since(cursor uint64) (out []event.ID) {
	for _, e := range m.entries {
		if e.Arrival > cursor {
			out = append(out, e.Event.ID)
		}
	}
	return out
}

func (m *model) heads(log event.LogID) []event.ID {
	all := m.history(Query{Log: log, Reverse: true})
	all = slices.DeleteFunc(all, func(e Entry) bool {
		return slices.ContainsFunc(m.entries, func(c Entry) bool {
			return c.Event.Log == log && slices.Contains(c.Event.Parents, e.Event.ID)
		})
	})
	return ids(all[:min(len(all), event.MaxParents)])
}

func (m *model) missing(log event.LogID) (out []event.ID) {
	for _, e := range m.in(log) {
		for _, p := range e.Event.Parents {
			if !m.hasIn(log, p) && !m.settled[inLogOf{log, p}] && !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	slices.SortFunc(out, event.ID.Compare)
	return out
}

func (m *model) author(log event.LogID, a event.Author) (st AuthorState) {
	seqs := map[uint64][]event.ID{}
	for _, e := range append(m.in(log), m.gone...) {
		if e.Event.Author == a && e.Event.Log == log {
			seqs[e.Event.Seq] = append(seqs[e.Event.Seq], e.Event.ID)
			st.LastSeq = max(st.LastSeq, e.Event.Seq)
		}
	}
	if st.LastSeq == 0 {
		return st
	}
	st.LastID = slices.MinFunc(seqs[st.LastSeq], event.ID.Compare)
	for seq := uint64(1); seq <= st.LastSeq; seq++ {
		if len(seqs[seq]) == 0 {
			st.Gaps = extend(st.Gaps, seq)
		}
		if len(seqs[seq]) > 1 {
			st.Forks = extend(st.Forks, seq)
		}
	}
	return st
}

func extend(g []Run, seq uint64) []Run {
	if n := len(g); n > 0 && g[n-1].Last+1 == seq {
		g[n-1].Last = seq
		return g
	}
	return append(g, Run{seq, seq})
}

func (m *model) control(log event.LogID) []event.ID {
	return ids(slices.DeleteFunc(m.history(Query{Log: log}), func(e Entry) bool { return e.Event.Kind == event.KindMessage }))
}

// sameEntries compares what an entry is, not the memory it points into.
func sameEntries(a, b []Entry) bool {
	return slices.EqualFunc(a, b, func(x, y Entry) bool {
		return cmp.Compare(x.Arrival, y.Arrival) == 0 && x.Event.ID == y.Event.ID && x.Fork == y.Fork &&
			slices.Equal(x.Event.Raw, y.Event.Raw) && slices.Equal(x.Event.Content, y.Event.Content)
	})
}
