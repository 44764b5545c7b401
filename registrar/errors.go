package registrar

import "github.com/parley-chat/parley/internal/fault"

// What can be wrong on a registrar, P6001 to P6009, and what it tells callers,
// P6010 to P6019 and P6070 to P6074.
var (
	// ErrNotRegistrar means the network's root did not make this node a registrar.
	ErrNotRegistrar = fault.New("P6001", fault.User, "this node is not a registrar of its network", "the network's root adds it, with parley registrars add PEER")
	// ErrServe means a registrar cannot serve on an address.
	ErrServe = fault.New("P6002", fault.Environment, "the registrar cannot serve on that address", "choose another --api address")
	// ErrTLS means the registrar's certificate for TLS cannot be used.
	ErrTLS = fault.New("P6003", fault.User, "the certificate for TLS cannot be used", "give --tls-cert and --tls-key two PEM files that belong together, or neither")

	errMalformed = fault.New("P6010", fault.User, "that is not a registration", "see docs/protocol/11-registrars.md")
	errRefused   = fault.New("P6011", fault.User, "the registrar does not admit this node", "ask who keeps the registrar: its audit log has the reason")
	errUnable    = fault.New("P6012", fault.Environment, "the registrar cannot do that now", "try again later, or ask another registrar")

	errHeartbeat = fault.New("P6070", fault.User, "that is not a heartbeat of this network", "see docs/protocol/11-registrars.md")
	errOldBeat   = fault.New("P6071", fault.User, "a newer heartbeat of this node came before", "if its data directory was restored or runs twice, stop the other and set its clock")
	errMembers   = fault.New("P6073", fault.User, "this is told to members of the network alone", "register first, and call over a node or with the header authorization")
	errCrowd     = fault.New("P6074", fault.Environment, "too many watch the registrar's directory at once", "end another, or try again in a moment")
	errClock     = fault.New("P6072", fault.User, "the node's clock differs by more than two hours from the registrar's", "set the clock of the machine that is wrong")
)
