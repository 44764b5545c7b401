package registrar

import (
	"cmp"
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"connectrpc.com/connect"

	"github.com/parley-chat/parley/api/parley/v1/parleyv1connect"
)

// minLinger and maxLinger are for how long a refusal of the guard is held back, by
// chance: a connection has few calls at once, so who goes on all the same is slowed down
// to what costs little, and does not come back in waves.
const (
	minLinger = time.Second
	maxLinger = 5 * time.Second
)

// forStrangers are the calls that cost a stranger's budget.
var forStrangers = []string{parleyv1connect.RegistrarServiceChallengeProcedure, parleyv1connect.RegistrarServiceRegisterNodeProcedure}

// early writes errors in the form of each protocol but REST.
var early = connect.NewErrorWriter()

// turnsAway refuses a stranger whose address is locked or has used up its budget, before
// anything of the call is read: a flood of guesses costs the least that way. It is told
// what it would be told later; what it does not refuse is decided there. leave gives up
// the place among calls under way.
func (r *Registrar) turnsAway(w http.ResponseWriter, req *http.Request, leave func()) bool {
	if !slices.Contains(forStrangers, req.URL.Path) || !early.IsSupported(req) {
		return false
	}
	c := callerOf(req.Context())
	if c.peer != "" && r.node.Knows(c.peer) {
		return false
	}
	v, refuses := r.guard.Refuses(r.node.Now(), c.addr)
	if !refuses {
		return false
	}
	leave()
	if !r.linger(req.Context(), c) {
		hangUp(w)
	}
	return early.Write(w, req, travel(busy(v))) == nil
}

// linger waits for a while before a refusal of the guard is told. It reports false if
// too many wait already.
func (r *Registrar) linger(ctx context.Context, c caller) bool {
	leave, ok := r.waiting.Enter(c.addr)
	if !ok {
		return false
	}
	defer leave()
	t := time.NewTimer(cmp.Or(r.cfg.linger, minLinger+rand.N(maxLinger-minLinger)))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	case <-r.ctx.Done():
	}
	return true
}

// hangUp has the connection closed when the answer is written.
func hangUp(w http.ResponseWriter) { w.Header().Set("Connection", "close") }
