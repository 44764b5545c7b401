package registrar

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/parley-chat/parley/internal/audit"
	"github.com/parley-chat/parley/node"
	"github.com/parley-chat/parley/registrar/internal/guard"
)

const (
	// maxRefusalDetail bounds what a stranger can make a record of a refusal hold.
	maxRefusalDetail = 256
	// tallyEvery is how often what was counted is told.
	tallyEvery = 10 * time.Second
	// maxTallied is how many networks are told apart while refusals are counted.
	maxTallied = 256
	// reasonMore is that of a record that stands for several refusals.
	reasonMore = "more"
)

// recorded is how many refusals of each kind, at registration and by hello, have
// records of their own: in ordinary use all. Both kinds at their limits for a day
// make 86,400 records.
var recorded = guard.Config{
	Address:   guard.Rate{PerSecond: 0.1, Burst: 50},
	Network:   guard.Rate{PerSecond: 0.2, Burst: 200},
	Strangers: guard.Rate{PerSecond: 0.5, Burst: 500},
	Entries:   1 << 12,
}

// refusals puts who was not admitted into the audit log, so that nobody can fill
// the disk by being refused: those beyond a rate are counted, and told together.
type refusals struct {
	registering, greeting *guard.Guard

	mu       sync.Mutex
	since    time.Time
	count    uint64 // since then; 0: nothing to tell
	reasons  map[string]uint64
	networks map[netip.Prefix]uint64
}

func newRefusals(now time.Time) *refusals {
	return &refusals{registering: guard.New(recorded, now), greeting: guard.New(recorded, now)}
}

// tally counts refusals that have no records.
func (f *refusals) tally(now time.Time, c caller, reason string, n uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count == 0 {
		f.since, f.reasons, f.networks = now, make(map[string]uint64), make(map[netip.Prefix]uint64)
	}
	f.count += n
	f.reasons[reason] += n
	around := networkOf(c.addr)
	if _, known := f.networks[around]; known || len(f.networks) < maxTallied {
		f.networks[around] += n
	}
}

// networkOf is /24 or /48; the zero prefix for who has no address.
func networkOf(a netip.Addr) netip.Prefix {
	bits := 48
	if a.Is4() {
		bits = 24
	}
	p, _ := a.Prefix(bits)
	return p
}

// take returns the record of what was counted, and begins anew.
func (f *refusals) take() (rec audit.Record, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count == 0 {
		return rec, false
	}
	detail := fmt.Sprintf("%d more since %s: %s", f.count, f.since.UTC().Format(time.RFC3339), most(f.reasons, 8))
	delete(f.networks, netip.Prefix{})
	if len(f.networks) > 0 {
		detail += "; from " + most(f.networks, 3)
	}
	f.count = 0
	return audit.Record{Op: audit.OpRefuse, Reason: reasonMore, Detail: detail}, true
}

// most names the n with the highest counts.
func most[K comparable](counts map[K]uint64, n int) string {
	keys := slices.SortedFunc(maps.Keys(counts), func(a, b K) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(fmt.Sprint(a), fmt.Sprint(b)))
	})
	var parts []string
	for _, k := range keys[:min(n, len(keys))] {
		parts = append(parts, fmt.Sprintf("%v %d", k, counts[k]))
	}
	if len(keys) > n {
		parts = append(parts, "…")
	}
	return strings.Join(parts, ", ")
}

// refusal is the record of one.
func (r *Registrar) refusal(c caller, actor, reason, detail string) audit.Record {
	return r.complete(c, audit.Record{
		Op: audit.OpRefuse, Actor: actor, Reason: reason, Detail: detail[:min(len(detail), maxRefusalDetail)],
	})
}

// refused puts a refusal into the audit log and returns what the caller is told.
func (r *Registrar) refused(ctx context.Context, a applicant, no *refusal) error {
	now := r.node.Now()
	if v := r.refusals.registering.Allow(now, guard.Attempt{Addr: a.addr}); !v.OK() {
		r.refusals.tally(now, a.caller, no.reason, 1)
		return errRefused.WithDo("ask who keeps the registrar for the reason; so many are refused now that its audit log only counts this one: try once more in a minute")
	}
	index, err := r.audit.Append(ctx, r.refusal(a.caller, a.peer.String(), no.reason, no.detail()))
	if err != nil {
		return errUnable.With(err)
	}
	return errRefused.WithDo(fmt.Sprintf("ask who keeps the registrar for the reason: record %d of its audit log", index))
}

// noteRefusals has the audit log tell of whom hello refused at this node.
func (r *Registrar) noteRefusals() {
	for f := range r.node.Refusals(r.ctx) {
		r.noteRefusal(f)
	}
}

func (r *Registrar) noteRefusal(f node.Refusal) {
	now, c := r.node.Now(), caller{}
	if f.Missed > 0 {
		r.refusals.tally(now, c, "hello", f.Missed)
	}
	if f.ID == "" {
		return
	}
	if f.Addr != nil {
		c = callerAt(f.Addr)
	}
	reason := "hello_" + f.Reason
	if v := r.refusals.greeting.Allow(now, guard.Attempt{Addr: c.addr}); !v.OK() {
		r.refusals.tally(now, c, reason, 1)
		return
	}
	if err := r.audit.Write(r.ctx, r.refusal(c, f.ID.String(), reason, "")); err != nil && r.ctx.Err() == nil {
		r.log.Error("a refusal is not in the audit log", "peer", f.ID, "err", err)
	}
}

// tellTally tells of what was only counted, now and then.
func (r *Registrar) tellTally() {
	tick := time.NewTicker(tallyEvery)
	defer tick.Stop()
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-tick.C:
			r.writeTally()
		}
	}
}

func (r *Registrar) writeTally() {
	rec, ok := r.refusals.take()
	if !ok {
		return
	}
	if err := r.audit.Write(context.WithoutCancel(r.ctx), r.complete(caller{}, rec)); err != nil {
		r.log.Error("refusals are not in the audit log", "what", rec.Detail, "err", err)
	}
}
