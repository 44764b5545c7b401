package event

import "fmt"

// Single returns the payload that serves event i alone, with the path that proves it
// belongs to the signed batch. Flags are left out: what is served is not live.
// spec: 03-events §6.5
func (b *Batch) Single(i int) ([]byte, error) {
	if i < 0 || i >= len(b.Events) {
		return nil, fmt.Errorf("no event %d in a batch of %d", i, len(b.Events))
	}
	index, path := b.index, b.path
	if b.count == len(b.Events) && b.count > 1 {
		index, path = i, merklePath(nil, b.Events, i)
	}
	return b.encode(b.Events[i:i+1], index, path), nil
}

// Erase returns the payload without the content of event i. Header, ID, order and
// proof are as before. Flags are left out. spec: 03-events §6.6
func (b *Batch) Erase(i int) ([]byte, error) {
	if i < 0 || i >= len(b.Events) {
		return nil, fmt.Errorf("no event %d in a batch of %d", i, len(b.Events))
	}
	events := append([]Event(nil), b.Events...)
	events[i].Content = nil
	return b.encode(events, b.index, b.path), nil
}

// encode writes the batch's signature with these of its events.
func (b *Batch) encode(events []Event, index int, path []byte) []byte {
	size := sizeBytes(len(b.sig)) + sizeNumber(MaxBatchEvents)*2 + sizeBytes(len(path))
	for i := range events {
		size += sizeBytes(events[i].itemSize())
	}
	p := appendBytes(make([]byte, 0, size), fieldSignature, b.sig)
	for i := range events {
		e := &events[i]
		p = append(p, fieldEvents<<3|wireBytes)
		p = appendLength(p, e.itemSize())
		p = appendBytes(p, fieldItemHeader, e.Raw)
		p = appendBytes(p, fieldItemContent, e.Content)
	}
	if len(events) < b.count {
		p = appendNumber(p, fieldCount, uint64(b.count))
		p = appendNumber(p, fieldIndex, uint64(index))
		p = appendBytes(p, fieldPath, path)
	}
	return p
}

func (e *Event) itemSize() int { return sizeBytes(len(e.Raw)) + sizeBytes(len(e.Content)) }
