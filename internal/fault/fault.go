// Package fault gives every error a person can meet a stable code, says whose
// fault it is, what happened and what to do about it.
//
// Faults are declared once, at package level, by the package that detects
// them, and handed out unchanged or with a cause:
//
//	var ErrDirBusy = fault.New("P2003", fault.Environment,
//		"another Parley runs on this directory", "stop it or choose another directory")
//
//	return ErrDirBusy.With(err)
//
// Two faults are the same for errors.Is when their codes are the same, so a
// caller compares with the declared one whatever cause was added. Codes are
// listed in docs/errors.md and never change their meaning: P1xxx command line,
// P2xxx node, network and identity, P3xxx store, P4xxx chat, P5xxx API, P6xxx
// registrars.
//
// An *Error is immutable and safe for concurrent use.
package fault

import (
	"errors"
	"fmt"
)

// Blame says who can remedy a fault, which decides where it is told: a
// person's mistake goes to that person, a peer's is counted, ours is logged
// as an error.
type Blame uint8

// The four sides a fault can lie on. The values are only appended to.
const (
	User        Blame = 1 // what the person or the embedding program asked for
	Environment Blame = 2 // disk, permissions, ports, network
	Peer        Blame = 3 // another node
	Bug         Blame = 4 // this program
)

// String returns the lower-case name that docs/errors.md uses.
func (b Blame) String() string {
	switch b {
	case User:
		return "user"
	case Environment:
		return "environment"
	case Peer:
		return "peer"
	case Bug:
		return "bug"
	default:
		return fmt.Sprintf("blame(%d)", uint8(b))
	}
}

// Error is a fault with a stable code.
type Error struct {
	Code  string // "P" and four digits
	Blame Blame
	What  string // what happened, one clause without a full stop
	Do    string // what to do about it, one clause; may be empty
	Err   error  // the cause, nil if there is none
}

// New declares a fault. It is meant for package-level variables: a code that
// is not "P" and four digits, an unknown blame or an empty what is a bug and
// panics at start-up.
func New(code string, b Blame, what, do string) *Error {
	if !validCode(code) || b < User || b > Bug || what == "" {
		panic(fmt.Sprintf("fault: bad declaration %q, %v, %q", code, b, what))
	}
	return &Error{Code: code, Blame: b, What: what, Do: do}
}

func validCode(code string) bool {
	if len(code) != 5 || code[0] != 'P' {
		return false
	}
	for _, c := range code[1:] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// Error returns one line: "what: cause: do (code)".
func (e *Error) Error() string {
	text := e.What
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	if e.Do != "" {
		text += ": " + e.Do
	}
	return text + " (" + e.Code + ")"
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is a fault of the same code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// With returns the same fault with a cause, which is told after what happened.
func (e *Error) With(err error) *Error {
	c := *e
	c.Err = err
	return &c
}

// Withf returns the same fault telling what happened in particular: the
// formatted text takes the place of What. For a cause, add With.
func (e *Error) Withf(format string, args ...any) *Error {
	c := *e
	c.What = fmt.Sprintf(format, args...)
	return &c
}

// WithDo returns the same fault with another advice, for places that know
// better what helps, such as the whole command to type.
func (e *Error) WithDo(do string) *Error {
	c := *e
	c.Do = do
	return &c
}

// As returns the first fault in err's chain.
func As(err error) (*Error, bool) {
	var e *Error
	ok := errors.As(err, &e)
	return e, ok
}
