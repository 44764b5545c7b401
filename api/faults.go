package api

import (
	"context"
	"errors"
	"io"

	"connectrpc.com/connect"

	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/internal/fault"
)

// ToConnect turns an error of chat or node into what travels: its fault as a
// detail, under the Connect code that its blame suggests. An error without a
// code is ErrInternal; a cancelled call stays one.
func ToConnect(err error) error {
	if err == nil {
		return nil
	}
	if f, ok := fault.As(err); ok {
		return carry(f)
	}
	if errors.Is(err, context.Canceled) {
		return connect.NewError(connect.CodeCanceled, err)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return connect.NewError(connect.CodeDeadlineExceeded, err)
	}
	return carry(ErrInternal.With(err))
}

func carry(f *fault.Error) error {
	ce := connect.NewError(codeOf(f.Blame), errors.New(f.Error()))
	if d, err := connect.NewErrorDetail(FaultOf(f)); err == nil {
		ce.AddDetail(d)
	}
	return ce
}

// FaultOf returns the message that carries err, which is ErrInternal's if it
// has no code.
func FaultOf(err error) *v1.Fault {
	f, ok := fault.As(err)
	if !ok {
		f = ErrInternal.With(err)
	}
	m := &v1.Fault{Code: f.Code, Blame: uint32(f.Blame), What: f.What, Do: f.Do}
	if f.Err != nil {
		m.Cause = f.Err.Error()
	}
	return m
}

func codeOf(b fault.Blame) connect.Code {
	switch b {
	case fault.User:
		return connect.CodeFailedPrecondition
	case fault.Environment, fault.Peer:
		return connect.CodeUnavailable
	default:
		return connect.CodeInternal
	}
}

// FromConnect turns what a call returned back into the fault the node
// reported. Other failures of a call become one of this package's; io.EOF,
// the end of a stream, passes.
func FromConnect(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	if f, ok := fault.As(err); ok { // the client's own, such as ErrNoNode
		return f
	}
	var ce *connect.Error
	if !errors.As(err, &ce) {
		return ErrGone.With(err)
	}
	for _, d := range ce.Details() {
		if v, err := d.Value(); err == nil {
			if m, ok := v.(*v1.Fault); ok {
				return Restore(m)
			}
		}
	}
	return fromCode(ce)
}

// Restore returns the fault that m carries.
func Restore(m *v1.Fault) *fault.Error {
	f := &fault.Error{Code: m.GetCode(), Blame: fault.Blame(m.GetBlame()), What: m.GetWhat(), Do: m.GetDo()}
	if m.GetCause() != "" {
		f.Err = errors.New(m.GetCause())
	}
	return f
}

func fromCode(ce *connect.Error) error {
	if errors.Is(ce, io.ErrUnexpectedEOF) {
		return ErrGone // killed in the middle: what of the protocol was missing helps nobody
	}
	switch ce.Code() {
	case connect.CodeCanceled:
		return context.Canceled
	case connect.CodeDeadlineExceeded:
		return context.DeadlineExceeded
	case connect.CodeUnimplemented:
		return ErrOther
	case connect.CodeInvalidArgument, connect.CodeResourceExhausted:
		return ErrArgument.With(errors.New(ce.Message()))
	default:
		return ErrGone.With(errors.New(ce.Message()))
	}
}
