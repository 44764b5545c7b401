package registrar

import (
	"net/http"
	"slices"

	"connectrpc.com/connect"

	"github.com/parley-chat/parley/api/parley/v1/parleyv1connect"
)

// forStrangers are the calls that cost a stranger's budget.
var forStrangers = []string{parleyv1connect.RegistrarServiceChallengeProcedure, parleyv1connect.RegistrarServiceRegisterNodeProcedure}

// early writes errors in the form of each protocol but REST.
var early = connect.NewErrorWriter()

// turnsAway refuses a stranger whose address is locked or has used up its budget, before
// anything of the call is read: a flood of guesses costs the least that way. It is told
// what it would be told later; what it does not refuse is decided there.
func (r *Registrar) turnsAway(w http.ResponseWriter, req *http.Request) bool {
	if !slices.Contains(forStrangers, req.URL.Path) || !early.IsSupported(req) {
		return false
	}
	c := callerOf(req.Context())
	if c.peer != "" && r.node.Knows(c.peer) {
		return false
	}
	v, refuses := r.guard.Refuses(r.node.Now(), c.addr)
	return refuses && early.Write(w, req, travel(busy(v))) == nil
}
