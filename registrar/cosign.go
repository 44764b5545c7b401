package registrar

import (
	"context"
	"errors"

	"golang.org/x/mod/sumdb/tlog"

	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/internal/audit"
	"github.com/parley-chat/parley/internal/fault"
)

// maxProof is more hashes than a proof between two sizes below 2^53 has.
const maxProof = 64

func (s *service) Cosign(ctx context.Context, req *v1.CosignRequest) (*v1.CosignResponse, error) {
	res, err := s.cosign(ctx, callerOf(ctx), req)
	if err != nil {
		return nil, travel(err)
	}
	return res, nil
}

// cosign countersigns the checkpoint of another registrar's audit log, if that begins
// with all that was seen of it here. One that does not is evidence: it is kept, logged
// and recorded. That the caller is another registrar is the doorkeeper's to see to.
//
// spec: 12-audit §6.1
func (r *Registrar) cosign(ctx context.Context, c caller, req *v1.CosignRequest) (*v1.CosignResponse, error) {
	origin, err := audit.ParseCheckpoint(req.GetCheckpoint())
	if err != nil {
		return nil, audit.ErrUnfit.With(err)
	}
	if origin.Origin != c.peer {
		return nil, audit.ErrUnfit.With(errors.New("it is another registrar's"))
	}
	proof, err := proofOf(req.GetProof())
	if err != nil {
		return nil, err
	}
	seen, _, err := r.audit.Seen(c.peer)
	if err != nil {
		return nil, err
	}
	res := &v1.CosignResponse{SeenSize: uint64(seen.Size)}
	if req.GetSeenSize() != res.SeenSize {
		return res, nil
	}
	res.Cosigned, err = r.audit.Cosign(req.GetCheckpoint(), proof)
	if errors.Is(err, audit.ErrForked) {
		return nil, r.tellFork(ctx, c, err)
	}
	return res, err
}

func proofOf(hashes [][]byte) (proof tlog.TreeProof, err error) {
	if len(hashes) > maxProof {
		return nil, audit.ErrUnfit.With(errors.New("the proof is too long"))
	}
	for _, h := range hashes {
		if len(h) != tlog.HashSize {
			return nil, audit.ErrUnfit.With(errors.New("the proof is not one of hashes"))
		}
		proof = append(proof, tlog.Hash(h))
	}
	return proof, nil
}

// tellFork says loudly that a registrar of the set has more than one history. What it
// is told is what was found.
func (r *Registrar) tellFork(ctx context.Context, c caller, found error) error {
	f, _ := fault.As(found)
	r.log.Error("another registrar's audit log has forked", "peer", c.peer, "err", found)
	_, err := r.audit.Append(context.WithoutCancel(ctx), r.complete(c, audit.Record{
		Op: audit.OpRefuse, Actor: c.peer.String(), Reason: "forked", Detail: f.What,
	}))
	if err != nil {
		r.log.Error("a forked audit log is not in the audit log", "peer", c.peer, "err", err)
	}
	return f
}
