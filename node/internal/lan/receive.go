package lan

import (
	"bytes"
	"slices"
	"strings"
	"time"

	ma "github.com/multiformats/go-multiaddr"
)

// received is a parsed message on its way to the loop.
type received struct {
	origin
	message
}

// reader reads one socket until it is closed or fails.
type reader struct {
	svc    *Service
	sock   *sock
	names  names // its instance is unused: that one changes
	inbox  chan<- received
	budget *budget
}

func (r *reader) run() {
	defer r.sock.failed.Store(true)
	buf := make([]byte, maxPacket+1)
	for {
		n, o, err := r.sock.read(buf)
		if err != nil {
			return
		}
		r.take(buf[:n], o, time.Now())
	}
}

// take parses a packet if it concerns the service and is within the budget,
// and hands it to the loop. A full inbox drops it: announcements come again.
func (r *reader) take(packet []byte, o origin, now time.Time) {
	if !bytes.Contains(packet, r.names.needle) {
		r.noteForeign(packet, o, now)
		return
	}
	if !r.budget.take(o.from, now) {
		r.refuse()
		return
	}
	m, err := r.names.parse(packet)
	if err != nil {
		r.refuse()
		return
	}
	select {
	case r.inbox <- received{o, m}:
	default:
		r.refuse()
	}
}

func (r *reader) refuse() { r.svc.update(func(st *Status) { st.Refused++ }) }

// noteForeign remembers that another Parley network is on this LAN: it is the
// commonest reason for finding nobody.
func (r *reader) noteForeign(packet []byte, o origin, now time.Time) {
	if !bytes.Contains(packet, []byte(servicePrefix)) || !r.budget.take(o.from, now) {
		return
	}
	tag := foreignTag(packet)
	if tag == "" {
		return
	}
	r.svc.update(func(st *Status) {
		i, known := slices.BinarySearch(st.OtherNetworks, tag)
		if !known && len(st.OtherNetworks) < maxOthers {
			st.OtherNetworks = slices.Insert(st.OtherNetworks, i, tag)
		}
	})
}

// handle acts on a message: answers its question, reports its peers.
func (l *loop) handle(m received) {
	k := l.linkOf(m.origin)
	if k == nil {
		return
	}
	own := l.names.instanceName()
	if m.asks && !slices.ContainsFunc(m.known, func(s string) bool { return strings.EqualFold(s, own) }) {
		l.plan(k, time.Now())
	}
	refused := m.bad
	for _, info := range m.peers {
		if info.ID == l.self.ID {
			continue
		}
		info.Addrs = slices.DeleteFunc(info.Addrs, func(a ma.Multiaddr) bool { return !believed(a, k.iface) })
		if len(info.Addrs) == 0 {
			refused++
			continue
		}
		l.svc.update(func(st *Status) { st.Heard++ })
		l.found(info)
	}
	if refused > 0 {
		l.svc.update(func(st *Status) { st.Refused += uint64(refused) })
	}
}

// linkOf returns the link a message came by: that of its interface, or, where
// the system does not tell that, the one its sender is on.
func (l *loop) linkOf(o origin) *link {
	if o.index != 0 {
		return l.links[o.index]
	}
	for _, k := range l.links {
		if k.onLink(o.from) {
			return k
		}
	}
	return nil
}
