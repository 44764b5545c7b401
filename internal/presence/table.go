package presence

import (
	"slices"
	"time"

	"golang.org/x/time/rate"
)

// Bounds of the table. Whoever is over them is not shown; nothing else breaks.
const (
	maxPeers   = 10_000  // peers remembered
	maxPerPeer = 256     // rooms remembered of one peer, over several signals
	maxRooms   = 10_000  // different rooms remembered
	maxEntries = 100_000 // (peer, room) pairs remembered
)

// Clock tolerance: signals from further ahead are refused, as are gossiped
// ones from further back, which may be replays by others.
const (
	maxAhead  = 5 * time.Minute
	maxBehind = 10 * time.Minute
)

// missed is how many intervals may pass before a peer counts as gone.
const missed = 3

// Pace of one author's gossiped signals. Honest ones come each 1.5 s at most,
// and a goodbye at any time.
const (
	authorPerSecond = 1
	authorAtOnce    = 5
)

// forget is how long after its last signal a peer's rooms leave the directory.
const forget = time.Hour

// verdict says what a signal was to the table.
type verdict int

const (
	fresh     verdict = iota
	stale             // not newer than what is known of that author
	future            // dated too far ahead
	past              // dated too far back
	full              // the table has no room for its author
	often             // its author sends too many
	strangers         // its forwarder brings too many new authors
)

// entry is what is known of one peer.
type entry struct {
	seq      uint64
	heard    time.Time
	interval time.Duration
	pace     *rate.Limiter // of its gossiped signals
	online   bool
	nick     string
	rooms    map[string]time.Time // comparison key → when last told
}

// table holds the newest signal of each peer. Its owner locks.
type table struct {
	peers   map[[32]byte]*entry
	rooms   map[string]*roomEntry
	entries int
	online  int
}

// roomEntry is a room of the directory.
type roomEntry struct {
	name string // as the first to tell of it wrote it
	in   map[[32]byte]struct{}
}

func newTable() *table {
	return &table{peers: make(map[[32]byte]*entry), rooms: make(map[string]*roomEntry)}
}

// ahead returns how far the sender's clock is ahead of wall, as his signal tells.
func (s *Signal) ahead(wall time.Time) time.Duration { return time.UnixMilli(s.Time).Sub(wall) }

// apply takes a verified signal in that came now, by a clock of which its
// sender's is skew ahead. keys are the comparison keys of its rooms.
// changed says whether anything that is shown is different now.
func (t *table) apply(now time.Time, skew time.Duration, s *Signal, keys []string, direct bool) (v verdict, changed bool) {
	e := t.peers[s.Author]
	switch {
	case skew > maxAhead:
		return future, false
	case skew < -maxBehind && !direct:
		return past, false
	case e != nil && s.Seq <= e.seq:
		return stale, false
	case e != nil && !direct && !e.pace.AllowN(now, 1):
		return often, false
	}
	if e == nil {
		if !t.makeRoom(direct) {
			return full, false
		}
		e = &entry{rooms: make(map[string]time.Time), pace: rate.NewLimiter(authorPerSecond, authorAtOnce)}
		t.peers[s.Author] = e
	}
	changed = e.online == s.Goodbye || e.nick != s.Nick
	t.setOnline(e, !s.Goodbye)
	e.seq, e.heard, e.interval, e.nick = s.Seq, now, s.Interval, s.Nick
	if t.setRooms(now, s, keys, e) {
		changed = true
	}
	return fresh, changed
}

func (t *table) setOnline(e *entry, online bool) {
	if e.online == online {
		return
	}
	e.online = online
	if online {
		t.online++
	} else {
		t.online--
	}
}

// setRooms brings the rooms of e up to date: a signal that names all its
// sender's rooms replaces them, one that names some adds to them and lets
// those go that were not told for three rounds of the rotation.
func (t *table) setRooms(now time.Time, s *Signal, keys []string, e *entry) (changed bool) {
	for i, key := range keys {
		if t.enter(s.Author, e, key, s.Rooms[i].Name, now) {
			changed = true
		}
	}
	rounds := time.Duration(1)
	if told := len(s.Rooms); told > 0 {
		rounds += time.Duration(min(int(s.Total)/told, 1000))
	}
	whole := int(s.Total) <= len(s.Rooms)
	for key, told := range e.rooms {
		if slices.Contains(keys, key) || !whole && now.Sub(told) <= missed*rounds*s.Interval {
			continue
		}
		t.exit(s.Author, e, key)
		changed = true
	}
	return changed
}

func (t *table) enter(author [32]byte, e *entry, key, name string, now time.Time) (added bool) {
	if _, ok := e.rooms[key]; ok {
		e.rooms[key] = now
		return false
	}
	r := t.rooms[key]
	if len(e.rooms) >= maxPerPeer || t.entries >= maxEntries || r == nil && len(t.rooms) >= maxRooms {
		return false
	}
	if r == nil {
		r = &roomEntry{name: name, in: make(map[[32]byte]struct{})}
		t.rooms[key] = r
	}
	r.in[author] = struct{}{}
	e.rooms[key] = now
	t.entries++
	return true
}

func (t *table) exit(author [32]byte, e *entry, key string) {
	delete(e.rooms, key)
	t.entries--
	r := t.rooms[key]
	delete(r.in, author)
	if len(r.in) == 0 {
		delete(t.rooms, key)
	}
}

// expire marks those gone who were silent for three intervals, and returns
// them. It takes those out of the rooms who are gone for long.
func (t *table) expire(now time.Time) (gone [][32]byte) {
	for author, e := range t.peers {
		silent := now.Sub(e.heard)
		if e.online && silent > missed*e.interval {
			t.setOnline(e, false)
			gone = append(gone, author)
		}
		if !e.online && silent > forget {
			for key := range e.rooms {
				t.exit(author, e, key)
			}
		}
	}
	return gone
}

// makeRoom makes place for one more when the table is full: it forgets the
// tenth of the peers that was heard longest ago and is not online. For one who
// is here himself others go even if they are. It reports whether there is room.
func (t *table) makeRoom(direct bool) bool {
	if len(t.peers) < maxPeers {
		return true
	}
	t.forgetOldest(func(e *entry) bool { return !e.online })
	if direct && len(t.peers) >= maxPeers {
		t.forgetOldest(func(*entry) bool { return true })
	}
	return len(t.peers) < maxPeers
}

func (t *table) forgetOldest(these func(*entry) bool) {
	var authors [][32]byte
	for author, e := range t.peers {
		if these(e) {
			authors = append(authors, author)
		}
	}
	slices.SortFunc(authors, func(a, b [32]byte) int {
		return t.peers[a].heard.Compare(t.peers[b].heard)
	})
	for _, author := range authors[:min(len(authors), maxPeers/10)] {
		e := t.peers[author]
		t.setOnline(e, false)
		for key := range e.rooms {
			t.exit(author, e, key)
		}
		delete(t.peers, author)
	}
}
