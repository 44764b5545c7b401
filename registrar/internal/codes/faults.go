package codes

import (
	"fmt"

	"github.com/parley-chat/parley/internal/fault"
)

// Faults of codes.
var (
	// ErrMistyped means the text is no code: a character is wrong or missing.
	ErrMistyped = fault.New("P6062", fault.User, "the code was not typed correctly", "compare it, character by character, and try again")
	// ErrWrong means there is no such code here.
	ErrWrong = fault.New("P6063", fault.User, "the code is wrong", "ask who keeps the registrar for another")
	// ErrExpired means the code's time is over.
	ErrExpired = fault.New("P6064", fault.User, "the code has expired", "ask who keeps the registrar for another")
	// ErrUsed means another peer has redeemed the code.
	ErrUsed = fault.New("P6065", fault.User, "the code was used already", "ask who keeps the registrar for another")
	// ErrFull means there are MaxCodes codes.
	ErrFull = fault.New("P6066", fault.User, "there are 100,000 codes already", "wait until some have expired for a month, or make fewer")
	// ErrAmount means so many codes, or such a life, cannot be.
	ErrAmount = fault.New("P6067", fault.User, "such codes cannot be made", "make 1 to 100,000, for a minute to a year")
	// ErrFile means codes.json or codes.journal cannot be read or written.
	ErrFile = fault.New("P6068", fault.Environment, "codes.json cannot be used", "see to free space and to permissions")
	// ErrCorrupt means codes.json is damaged. It is never replaced.
	ErrCorrupt = fault.New("P6069", fault.Environment, "codes.json is damaged",
		"restore it and codes.journal from a backup, or move both away: codes that were not used are void then")
	// ErrJournal means codes.journal is damaged, or missing. It is never replaced then.
	ErrJournal = fault.New("P6080", fault.Environment, "codes.journal is damaged",
		"restore it and codes.json from a backup, or move both away: codes that were not used are void then")
)

// checkPeer refuses what cannot be the text of a peer ID. Callers have proven
// the ID before, so one that is none is their mistake.
func checkPeer(peer string) error {
	if peer == "" || len(peer) > maxPeer {
		return fmt.Errorf("codes: a peer ID of %d bytes", len(peer))
	}
	for _, c := range []byte(peer) {
		if c <= ' ' || c > '~' {
			return fmt.Errorf("codes: the peer ID is not its text")
		}
	}
	return nil
}
