package codes

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// fileJSON is the form of DIR/codes.json. Version 1 has no journal.
type fileJSON struct {
	Version int        `json:"version"`
	Journal uint64     `json:"journal,omitempty"` // the generation, from 1
	Codes   []codeJSON `json:"codes"`
}

type codeJSON struct {
	Hash    string     `json:"hash"` // SHA-256, 64 hex digits
	Expires time.Time  `json:"expires"`
	UsedBy  string     `json:"used_by,omitempty"`
	Used    *time.Time `json:"used,omitempty"`
}

func parseFile(data []byte) (map[hash]entry, uint64, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	var j fileJSON
	if err := d.Decode(&j); err != nil {
		return nil, 0, errors.New("it is not JSON of the right form")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, 0, errors.New("something follows its end")
	}
	if j.Version != 1 && j.Version != 2 || (j.Version == 2) != (j.Journal > 0) {
		return nil, 0, fmt.Errorf("version %d is unknown here", j.Version)
	}
	if len(j.Codes) > MaxCodes {
		return nil, 0, fmt.Errorf("it has %d codes", len(j.Codes))
	}
	codes := make(map[hash]entry, len(j.Codes))
	for i, c := range j.Codes {
		h, e, err := c.parse()
		if err != nil {
			return nil, 0, fmt.Errorf("code %d: %w", i+1, err)
		}
		codes[h] = e
	}
	if len(codes) != len(j.Codes) {
		return nil, 0, errors.New("a code is in it twice")
	}
	return codes, j.Journal, nil
}

func (c codeJSON) parse() (h hash, e entry, err error) {
	if h, err = parseHash(c.Hash); err != nil {
		return h, e, err
	}
	e = entry{expires: whole(c.Expires), usedBy: c.UsedBy}
	if (c.UsedBy == "") != (c.Used == nil) || c.UsedBy != "" && checkPeer(c.UsedBy) != nil {
		return h, e, errors.New("it does not say by whom it was used, and when")
	}
	if c.Used != nil {
		e.used = whole(*c.Used)
	}
	return h, e, nil
}

func parseHash(text string) (h hash, err error) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(h) {
		return h, errors.New("the hash is not 64 hex digits")
	}
	return hash(raw), nil
}

// encodeFile sorts the codes by hash, which says nothing about who got which.
func encodeFile(codes map[hash]entry, generation uint64) []byte {
	j := fileJSON{Version: 2, Journal: generation, Codes: make([]codeJSON, 0, len(codes))}
	for h, e := range codes {
		c := codeJSON{Hash: hex.EncodeToString(h[:]), Expires: e.expires, UsedBy: e.usedBy}
		if e.usedBy != "" {
			c.Used = &e.used
		}
		j.Codes = append(j.Codes, c)
	}
	slices.SortFunc(j.Codes, func(a, b codeJSON) int { return strings.Compare(a.Hash, b.Hash) })
	data, err := json.Marshal(j)
	if err != nil {
		panic(err) // strings and times in range always encode
	}
	return append(data, '\n')
}
