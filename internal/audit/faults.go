package audit

import (
	"fmt"

	"github.com/parley-chat/parley/internal/fault"
)

// What can go wrong with an audit log. The texts are for people; branch on the
// variables with errors.Is.
var (
	ErrNoLog = fault.New("P6040", fault.User, "there is no audit log in this directory",
		"registrars alone keep one: choose another directory")
	ErrLocked = fault.New("P6041", fault.Environment, "another Parley writes this audit log", "stop it or choose another directory")
	ErrFailed = fault.New("P6042", fault.Environment, "the audit log cannot be read or written",
		"look at the disk and the permissions and start again: what was acknowledged is safe")
	ErrClosed  = fault.New("P6043", fault.Bug, "the audit log is closed", "")
	ErrRecord  = fault.New("P6044", fault.Bug, "that cannot be a record of the audit log", "report it")
	ErrOwner   = fault.New("P6045", fault.User, "the audit log is another registrar's", "put back the identity.key that belongs to this directory, or move its audit directory away: a new log is begun")
	ErrNoIndex = fault.New("P6046", fault.User, "the audit log has no such record", "take a number that parley audit tail shows")
)

// What Verify, Prove, CheckProof and Open find. Each names the record.
var (
	ErrChanged = fault.New("P6050", fault.Environment, "a record of the audit log was changed",
		"keep a copy of the directory as evidence and compare it with a backup; other registrars' cosignatures tell which of the two was first")
	ErrMissing = fault.New("P6051", fault.Environment, "records are missing in the audit log",
		"keep a copy of the directory as evidence and look for them in a backup")
	ErrOrder = fault.New("P6052", fault.Environment, "a record of the audit log is not in its place",
		"keep a copy of the directory as evidence and compare it with a backup")
	ErrCheckpoint = fault.New("P6053", fault.Environment, "a checkpoint of the audit log is not what was signed",
		"keep a copy of the directory as evidence and compare it with a backup")
	ErrHashes = fault.New("P6054", fault.Environment, "the file of hashes of the audit log does not fit the records, which are as they were signed",
		"delete the file named hashes in the audit directory and start the registrar again: it writes it anew")
	ErrUntrusted = fault.New("P6055", fault.User, "the audit log is signed by somebody whom you did not name",
		"if you trust that peer, name it with --key")
	ErrProof  = fault.New("P6056", fault.User, "the proof does not prove its record", "ask for another one: it was changed or damaged")
	ErrUnsaid = fault.New("P6057", fault.Environment, "no checkpoint covers that record yet", "wait a second while the registrar runs, or start it once")
	ErrForked = fault.New("P6058", fault.Peer, "the history of another registrar's audit log has forked", "do not trust that registrar: it shows different histories, or was set back to a backup")
	ErrUnfit  = fault.New("P6059", fault.Peer, "that checkpoint cannot be cosigned", "")
)

// missing says that records are not there, and after that why it is known.
func missing(first, last int64, why string) error {
	if first == last {
		return ErrMissing.Withf("record %d is missing in the audit log%s", first, why)
	}
	return ErrMissing.Withf("records %d to %d are missing in the audit log%s", first, last, why)
}

// count says how many records.
func count(n int64) string {
	if n == 1 {
		return "1 record"
	}
	return fmt.Sprintf("%d records", n)
}
