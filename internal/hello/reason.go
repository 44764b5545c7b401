package hello

import "errors"

// Why a handshake failed. Every error of a step wraps exactly one of these. They are
// for counters and logs: the other side is told nothing. spec: 02-hello §6
var (
	ErrForm      = errors.New("hello: malformed message")
	ErrTooLarge  = errors.New("hello: message over the limit")
	ErrReflected = errors.New("hello: our own words came back")
	ErrNetwork   = errors.New("hello: another network")
	ErrVersion   = errors.New("hello: no common version")
	ErrMethod    = errors.New("hello: no common way to prove membership")
	ErrEpoch     = errors.New("hello: no common secret epoch")
	ErrTicket    = errors.New("hello: ticket does not admit")
	ErrProof     = errors.New("hello: proof does not hold") // a wrong secret, or something replayed or altered
	ErrOrder     = errors.New("hello: step out of order")   // a fault of the caller, not of the peer
	ErrHalfOpen  = errors.New("hello: ended before it was finished")
)

var reasons = []struct {
	err  error
	name string
}{
	{ErrForm, "form"},
	{ErrTooLarge, "too_large"},
	{ErrReflected, "reflected"},
	{ErrNetwork, "network"},
	{ErrVersion, "version"},
	{ErrMethod, "method"},
	{ErrEpoch, "epoch"},
	{ErrTicket, "ticket"},
	{ErrProof, "proof"},
	{ErrOrder, "order"},
	{ErrHalfOpen, "half_open"},
}

// Reason names an error of this package for a counter: "form", "too_large",
// "reflected", "network", "version", "method", "epoch", "ticket", "proof", "order"; "half_open"
// for everything else, as a stream that ended or ran out of time; "" for nil.
func Reason(err error) string {
	if err == nil {
		return ""
	}
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			return r.name
		}
	}
	return "half_open"
}
