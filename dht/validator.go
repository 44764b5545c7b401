package dht

import (
	"errors"
	"time"
)

// validator is what every node holds values of the table against, whether it
// stores them or is told them: a record is good by itself, by its key and the
// time. spec: 09-dht §3
type validator struct {
	network [32]byte
	now     func() time.Time
}

func (v validator) read(key string, value []byte) (*Record, error) {
	id, ok := keyPeer(key)
	if !ok {
		return nil, errKey
	}
	r, err := decodeRecord(v.network, value)
	if err != nil {
		return nil, err
	}
	if r.ID != id {
		return nil, errKey
	}
	if now := v.now(); r.Expiry.Before(now) || r.Made.After(now.Add(maxAhead)) {
		return nil, errTime
	}
	return r, nil
}

// Validate implements record.Validator.
func (v validator) Validate(key string, value []byte) error {
	_, err := v.read(key, value)
	return err
}

// Select implements record.Validator: the latest record is the best.
func (v validator) Select(key string, values [][]byte) (int, error) {
	best, made := -1, time.Time{}
	for i, value := range values {
		if r, err := v.read(key, value); err == nil && (best < 0 || r.Made.After(made)) {
			best, made = i, r.Made
		}
	}
	if best < 0 {
		return 0, errors.New("no record is valid")
	}
	return best, nil
}
