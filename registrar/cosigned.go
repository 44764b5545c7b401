package registrar

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/parley-chat/parley/internal/audit"
	"github.com/parley-chat/parley/internal/fault"
	"github.com/parley-chat/parley/registrar/client"
)

const (
	// cosignEvery is how often the others are asked at most, a fifth more or less.
	cosignEvery = 5 * time.Second
	// cosignTime is what one may take to answer.
	cosignTime = 10 * time.Second
	// lastCosignRetry is how long one that did not sign is left alone at most.
	lastCosignRetry = time.Minute
)

// cosigner is another registrar, as far as the own audit log is concerned. The
// goroutine that asks it owns it meanwhile.
type cosigner struct {
	seen   int64 // of how many records it has seen the tree, as it said last
	signed int64 // how many its newest signature covers
	failed int   // in a row
	next   time.Time
}

// keepCosigned has the others of the set cosign the own audit log, whenever there is
// a new checkpoint: one that is away is asked when it is back, and the proof then
// reaches from what it has seen last.
//
// spec: 12-audit §6.1
func (r *Registrar) keepCosigned() {
	others := make(map[peer.ID]*cosigner)
	every := cmp.Or(r.cfg.cosignEvery, cosignEvery)
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-time.After(every*4/5 + rand.N(every*2/5+1)):
		}
		if c, ok := r.audit.Checkpoint(); ok && r.inSet() {
			r.askAll(others, c, every)
		}
	}
}

// askAll asks all whose signature the checkpoint lacks, at once, and waits for them.
func (r *Registrar) askAll(others map[peer.ID]*cosigner, c audit.Checkpoint, every time.Duration) {
	set, now := r.node.Registrars(), time.Now()
	for p := range others {
		if !slices.Contains(set, p) {
			delete(others, p)
		}
	}
	var wg sync.WaitGroup
	for _, p := range set {
		if p == r.node.ID() {
			continue
		}
		o := others[p]
		if o == nil {
			o = &cosigner{}
			others[p] = o
		}
		if o.signed < c.Size && !now.Before(o.next) {
			wg.Go(func() { r.askOne(p, o, c, every) })
		}
	}
	wg.Wait()
}

func (r *Registrar) askOne(p peer.ID, o *cosigner, c audit.Checkpoint, every time.Duration) {
	ctx, cancel := context.WithTimeout(r.ctx, cosignTime)
	defer cancel()
	err := r.ask(ctx, p, o, c)
	if err == nil {
		o.failed, o.seen, o.signed = 0, c.Size, c.Size
		return
	}
	o.failed++
	o.next = time.Now().Add(min(every<<min(o.failed, 10), lastCosignRetry))
	if f, ok := fault.As(err); ok && f.Code == audit.ErrForked.Code {
		r.log.Error("another registrar says that this audit log has forked", "peer", p, "err", err)
	} else if r.ctx.Err() == nil {
		r.log.Debug("a registrar did not cosign", "peer", p, "err", err)
	}
}

// ask has one checkpoint signed by one registrar, which may have seen another number
// of records than was thought: after a restart nothing is known of it.
func (r *Registrar) ask(ctx context.Context, p peer.ID, o *cosigner, c audit.Checkpoint) error {
	defer r.node.Spare(p)()
	rpc := client.OverStream(r.node.PublicHost(), p, r.node.Network().Tag)
	defer rpc.Close()
	for range 2 {
		proof, err := r.continues(o.seen, c.Size)
		if err != nil {
			return err
		}
		note, seen, err := rpc.Cosign(ctx, c.Note, proof, o.seen)
		if err != nil {
			return err
		}
		if len(note) > 0 {
			return r.attach(p, note)
		}
		o.seen = seen
	}
	return errors.New("it does not say what it has seen")
}

// continues proves that the log goes on from what was seen. If more was seen than
// there is, it does not: who is asked shall find that out.
func (r *Registrar) continues(seen, size int64) (hashes [][]byte, err error) {
	if seen >= size {
		return nil, nil
	}
	var proof tlog.TreeProof
	if proof, err = r.audit.Consistency(seen, size); err != nil {
		return nil, err
	}
	for _, h := range proof {
		hashes = append(hashes, h[:])
	}
	return hashes, nil
}

// attach keeps a cosigned checkpoint that has the signature of who was asked beside
// the own one, and no other: anybody could make up many.
func (r *Registrar) attach(by peer.ID, note []byte) error {
	c, err := audit.ParseCheckpoint(note)
	if err != nil {
		return err
	}
	if others := c.Cosigners(); len(others) != 1 || others[0] != by {
		return audit.ErrUnfit.With(errors.New("it is not signed by who was asked"))
	}
	return r.audit.Attach(note)
}
