package registrar

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/internal/audit"
)

// revokedNode is the reason of a record that a node was revoked.
const revokedNode = "node"

// Revoke takes a node out of the network for good, and returns the revocation
// once it is in the registry and in the audit log; every node that has a way
// here hears of it within seconds. reason has 1 to 256 bytes. Errors: those of
// chat.Registry.Revoke, and of the audit log.
//
// spec: 11-registrars §7.4
func (r *Registrar) Revoke(ctx context.Context, p peer.ID, reason string) (chat.ID, error) {
	id, err := r.chat.Registry().Revoke(ctx, p, reason)
	if id == (chat.ID{}) {
		return chat.ID{}, err
	}
	return id, errors.Join(err, r.recordRevocation(context.WithoutCancel(ctx), p, reason)) // it is in force, whatever failed since
}

func (r *Registrar) recordRevocation(ctx context.Context, p peer.ID, reason string) error {
	return r.record(ctx, audit.Record{Op: audit.OpRevoke, Actor: r.node.ID().String(), Subject: p.String(), Reason: revokedNode, Detail: reason})
}

// lookBack is in how many records, the last ones, a revocation is looked for: a
// registrar that was killed has recorded nothing since.
const lookBack = 10_000

// recordLate puts into the audit log what this registrar has revoked and, for it was
// killed then, not recorded.
func (r *Registrar) recordLate() error {
	late := make(map[string]chat.Revocation)
	for _, rev := range r.chat.Registry().RevokedBy(r.node.ID()) {
		late[rev.Peer.String()] = rev
	}
	if len(late) == 0 {
		return nil
	}
	recorded, since, err := r.recordedLately()
	if err != nil {
		return err
	}
	for subject, rev := range late {
		if recorded[subject] || rev.Time.Before(since) {
			continue
		}
		if err := r.recordRevocation(r.ctx, rev.Peer, rev.Reason); err != nil {
			return err
		}
	}
	return nil
}

// recordedLately returns whose revocations are in the last records, and since when
// these are; the zero time: they are all.
func (r *Registrar) recordedLately() (revoked map[string]bool, since time.Time, err error) {
	from := max(0, r.audit.Size()-lookBack)
	lines, err := audit.NewReader(filepath.Join(r.node.Dir(), "audit"), from)
	if err != nil {
		return nil, since, err
	}
	defer lines.Close()
	revoked = make(map[string]bool)
	for n := from; ; n++ {
		line, err := lines.Line()
		if errors.Is(err, io.EOF) {
			return revoked, since, nil
		}
		if err != nil {
			return nil, since, err
		}
		rec, err := audit.ParseAt(line, n)
		if err != nil {
			return nil, since, err
		}
		if n == from && from > 0 {
			since = rec.Time
		}
		if rec.Op == audit.OpRevoke && rec.Reason == revokedNode {
			revoked[rec.Subject] = true
		}
	}
}
