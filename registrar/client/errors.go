package client

import (
	"errors"
	"math"
	"strings"
	"unicode"

	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/internal/fault"
)

// What can go wrong between a node and a registrar, P6004 to P6009 and P6075 to P6079.
var (
	// ErrUnreachable means nobody answered.
	ErrUnreachable = fault.New("P6004", fault.Environment, "the registrar does not answer", "check its address and that it runs")
	// ErrOtherRegistrar means somebody answered with another certificate.
	ErrOtherRegistrar = fault.New("P6005", fault.Environment, "another certificate answers than the registrar's", "ask who keeps the registrar for a new invite; it may be somebody else who answers")
	// ErrUntrusted means no fingerprint was given and this machine does not trust
	// the certificate.
	ErrUntrusted = fault.New("P6006", fault.User, "the registrar's certificate is not trusted on this machine", "give its fingerprint, with --fingerprint or an invite that has it")
	// ErrOtherNetwork means the registrar is one of another network.
	ErrOtherNetwork = fault.New("P6007", fault.User, "the registrar is of another network", "check its address, or use the directory of that network")
	// ErrAnswer means the answer was not a registrar's.
	ErrAnswer = fault.New("P6008", fault.Peer, "that was not a registrar's answer", "check the address and its port")
	// ErrNoRegistrars means the network has none, as far as this node knows.
	ErrNoRegistrars = fault.New("P6075", fault.User, "the network has no registrars, which keep the directory of nodes", "parley peers lists who is connected with this node")
	// ErrNoneAnswers means that it has some.
	ErrNoneAnswers = fault.New("P6076", fault.Environment, "none of the network's registrars answers", "try again when one is back")
)

var errOtherRegistrar = errors.New("another certificate")

// maxText bounds, in bytes, each text of a registrar's fault.
const maxText = 512

// showable reports whether a fault may be shown: it is whoever answers that has
// written it, and a terminal does as it is told.
func showable(m *v1.Fault) bool {
	for _, text := range []string{m.GetCode(), m.GetWhat(), m.GetDo()} {
		if len(text) > maxText || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return false
		}
	}
	return m.GetCode() != "" && m.GetBlame() <= math.MaxUint8
}

// restore returns the fault that a registrar answered with.
func restore(m *v1.Fault) *fault.Error {
	return &fault.Error{Code: m.GetCode(), Blame: fault.Blame(m.GetBlame()), What: m.GetWhat(), Do: m.GetDo()}
}
