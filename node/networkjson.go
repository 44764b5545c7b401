package node

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// networkJSON is the form of DIR/network.json.
type networkJSON struct {
	Version int         `json:"version"`
	ID      string      `json:"id"`
	Name    string      `json:"name"`
	Mode    string      `json:"mode"`
	Epochs  []epochJSON `json:"epochs"`
	Record  []byte      `json:"record"`
	TLS     []byte      `json:"registrar_tls,omitempty"` // the registrar's fingerprint
	Check   string      `json:"check"`                   // SHA-256 of the file with this empty, [:8]
}

type epochJSON struct {
	Number uint64 `json:"number"`
	Secret []byte `json:"secret"`
}

func (f *NetworkFile) encode() []byte {
	j := networkJSON{Version: 1, ID: hex.EncodeToString(f.ID[:]), Name: f.Name, Mode: f.Mode.String(), Epochs: []epochJSON{}, Record: f.Record}
	if f.Fingerprint != [32]byte{} {
		j.TLS = f.Fingerprint[:]
	}
	for _, e := range f.Epochs {
		j.Epochs = append(j.Epochs, epochJSON{e.Number, e.Secret[:]})
	}
	return j.encode()
}

func (j networkJSON) encode() []byte {
	j.Check = ""
	sum := sha256.Sum256(j.indent())
	j.Check = hex.EncodeToString(sum[:8])
	return j.indent()
}

func (j networkJSON) indent() []byte {
	data, err := json.MarshalIndent(j, "", "  ")
	if err != nil {
		panic(err) // strings, numbers and bytes always encode
	}
	return append(data, '\n')
}

// parseNetworkFile accepts exactly what encode writes, so that damage anywhere
// is found.
func parseNetworkFile(data []byte) (*NetworkFile, error) {
	var j networkJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return nil, err
	}
	if j.Version != 1 {
		return nil, fmt.Errorf("version %d is unknown here", j.Version)
	}
	if !bytes.Equal(j.encode(), data) {
		return nil, errors.New("it does not match its check")
	}
	id, err := hex.DecodeString(j.ID)
	if err != nil || len(id) != 32 {
		return nil, errors.New("the network ID is not 64 hex digits")
	}
	f := &NetworkFile{Record: j.Record}
	for mode, name := range modeNames {
		if name == j.Mode {
			f.Network = makeNetwork([32]byte(id), j.Name, mode)
		}
	}
	if len(j.TLS) > 0 && len(j.TLS) != len(f.Fingerprint) {
		return nil, errors.New("the fingerprint is not 32 bytes")
	}
	copy(f.Fingerprint[:], j.TLS)
	for _, e := range j.Epochs {
		if len(e.Secret) != 32 {
			return nil, errors.New("a secret is not 32 bytes")
		}
		f.Epochs = append(f.Epochs, Epoch{e.Number, [32]byte(e.Secret)})
	}
	return f, f.check()
}

// check holds what must be true of any network file.
func (f *NetworkFile) check() error {
	if f.Mode == 0 {
		return errors.New("the mode is unknown")
	}
	if f.Mode.hasSecret() && len(f.Epochs) == 0 || f.Mode == ModeOpen && len(f.Epochs) > 0 || len(f.Epochs) > maxEpochs {
		return fmt.Errorf("%d secrets in mode %v", len(f.Epochs), f.Mode)
	}
	last := uint64(0)
	for _, e := range f.Epochs {
		if e.Number <= last {
			return errors.New("the secrets' epochs do not rise")
		}
		last = e.Number
	}
	if len(f.Record) > 0 {
		_, err := verifyRecord(f.Record, f.ID)
		return err
	}
	return nil
}
