package guard

import (
	"time"

	"github.com/parley-chat/parley/internal/fault"
)

// Faults told to whoever was refused.
var (
	// ErrBusy means a budget is used up.
	ErrBusy = fault.New("P6060", fault.Environment, "too many try to register at once", "try again in a moment")
	// ErrLocked means that too many attempts failed.
	ErrLocked = fault.New("P6061", fault.User, "too many attempts failed", "wait a quarter of an hour, check the code, and try again")
)

// Outcome is what a guard decided. The values are only appended to.
type Outcome uint8

// The outcomes.
const (
	OK     Outcome = 1
	Busy   Outcome = 2 // a budget is used up
	Locked Outcome = 3 // too many failures
)

var outcomeNames = map[Outcome]string{OK: "ok", Busy: "busy", Locked: "locked"}

// String returns the name of the outcome in logs and metrics.
func (o Outcome) String() string { return outcomeNames[o] }

// Verdict is the answer to an attempt.
type Verdict struct {
	Outcome    Outcome
	RetryAfter time.Duration // when it may be tried again, if it is refused
}

// OK reports whether the attempt may go on.
func (v Verdict) OK() bool { return v.Outcome == OK }

// Err returns nil, [ErrBusy] or [ErrLocked].
func (v Verdict) Err() error {
	switch v.Outcome {
	case OK:
		return nil
	case Locked:
		return ErrLocked
	default:
		return ErrBusy
	}
}

// busy is the verdict on a budget that has something again after wait.
func busy(wait time.Duration) Verdict {
	if wait > 0 {
		return Verdict{Busy, wait}
	}
	return Verdict{Outcome: OK}
}
