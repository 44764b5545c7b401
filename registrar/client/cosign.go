package client

import (
	"context"

	v1 "github.com/parley-chat/parley/api/parley/v1"
)

// Cosign asks a registrar to countersign the checkpoint of an audit log, of which it
// has seen the first seen records, with the proof that it continues those. It returns
// the note with its signature, or none and what it has seen instead. Whose signatures
// are on it is not checked. Errors: those of this package, and what the registrar
// answers.
func (c *Client) Cosign(ctx context.Context, checkpoint []byte, proof [][]byte, seen int64) (cosigned []byte, was int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	res, err := c.rpc.Cosign(ctx, &v1.CosignRequest{Checkpoint: checkpoint, Proof: proof, SeenSize: uint64(seen)})
	if err != nil {
		return nil, 0, failure(err)
	}
	if was = int64(res.GetSeenSize()); was < 0 {
		return nil, 0, ErrAnswer
	}
	return res.GetCosigned(), was, nil
}
