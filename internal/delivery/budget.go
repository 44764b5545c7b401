package delivery

import (
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/budget"
	"github.com/parley-chat/parley/internal/event"
)

// How much one peer or author may cost, over all logs. spec: 04-delivery §4, §6.3
const (
	uselessPerSecond = 100 // ignored batches of one forwarder
	uselessAtOnce    = 2000
	rejectCost       = 10 // a rejected batch counts as so many: no honest peer forwards one

	authorPerSecond = 32 << 20 // bytes of one author
	authorAtOnce    = 64 << 20

	newAuthorsPerSecond = 50 // authors not known here that one peer brings by fetching
	newAuthorsAtOnce    = 4096

	servedPerSecond = 16 << 20 // bytes that one peer may make us look at, and what comparing costs
	servedAtOnce    = 64 << 20

	requestsPerSecond = 100
	requestsAtOnce    = 400
)

type budgets struct {
	useless  *budget.Budgets[peer.ID]
	authors  *budget.Budgets[event.Author]
	served   *budget.Budgets[peer.ID]
	requests *budget.Budgets[peer.ID]

	newAuthors *budget.Budgets[peer.ID]
}

func newBudgets() *budgets {
	return &budgets{
		useless:  budget.New[peer.ID](uselessPerSecond, uselessAtOnce),
		authors:  budget.New[event.Author](authorPerSecond, authorAtOnce),
		served:   budget.New[peer.ID](servedPerSecond, servedAtOnce),
		requests: budget.New[peer.ID](requestsPerSecond, requestsAtOnce),

		newAuthors: budget.New[peer.ID](newAuthorsPerSecond, newAuthorsAtOnce),
	}
}
