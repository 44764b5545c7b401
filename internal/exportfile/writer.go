package exportfile

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"github.com/parley-chat/parley/internal/event"
)

// Writer writes an export. What it writes to should be buffered.
type Writer struct {
	enc    *json.Encoder
	events uint64
}

// NewWriter returns a Writer that writes to w.
func NewWriter(w io.Writer) *Writer {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return &Writer{enc: enc}
}

// Head writes the line that says where the events after it are from.
func (w *Writer) Head(h Head) error {
	v := uint(Version)
	return w.enc.Encode(line{
		Export: &v, Network: h.Network, NetworkID: hex.EncodeToString(h.NetworkID[:]), Room: h.Room, Log: h.Log.String(),
	})
}

// Event writes the line of an event, of which payload is the one and only.
func (w *Writer) Event(payload []byte) error {
	b, err := event.Decode(payload)
	if err != nil {
		return err
	}
	p, alone := b.Proof()
	if !alone {
		return fmt.Errorf("a payload of %d events", len(b.Events))
	}
	e := &b.Events[0]
	proof := &proofLine{
		Signature: encoding.EncodeToString(p.Signature), Index: uint32(p.Index), Path: encoding.EncodeToString(p.Path),
	}
	if p.Count > 1 {
		proof.Count = uint32(p.Count)
	}
	w.events++
	return w.enc.Encode(line{
		ID: e.ID.String(), Header: encoding.EncodeToString(e.Raw), Content: encoding.EncodeToString(e.Content), Proof: proof,
	})
}

// End writes the last line, with the number of events before it: without it a
// file was cut.
func (w *Writer) End() error {
	return w.enc.Encode(line{End: &w.events})
}
