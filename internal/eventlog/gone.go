package eventlog

// goneRecs are the records of what retention deleted, as held by a group: of an
// author's seqs and the highest of them. With them the records of authors are
// what the payloads and they add up to.
type goneRecs struct {
	authors map[authorKey]*held[authorRec]
	windows map[windowKey]*held[windowRec]
}

// goneAuthor returns the record of an author's deleted events, which is going to
// be changed.
func (g *group) goneAuthor(k authorKey) (*held[authorRec], error) {
	if h := g.gone.authors[k]; h != nil {
		return h, nil
	}
	rec, _, err := getRecord(g.txn, appendIDKey(nil, spaceDeleted, k.no, (*[32]byte)(&k.author)), decodeAuthorRec)
	h := &held[authorRec]{rec: rec, changed: true}
	if g.gone.authors == nil {
		g.gone.authors = make(map[authorKey]*held[authorRec])
	}
	g.gone.authors[k] = h
	return h, err
}

// goneWindow returns the record of a window of deleted seqs, which is going to be
// changed.
func (g *group) goneWindow(k windowKey) (*held[windowRec], error) {
	if h := g.gone.windows[k]; h != nil {
		return h, nil
	}
	rec, _, err := getRecord(g.txn, appendWindowKey(nil, spaceDeleted, k), decodeWindowRec)
	h := &held[windowRec]{rec: rec, changed: true}
	if g.gone.windows == nil {
		g.gone.windows = make(map[windowKey]*held[windowRec])
	}
	g.gone.windows[k] = h
	return h, err
}

func (g *group) flushGone() error {
	for k, h := range g.gone.authors {
		if err := g.setRecord(appendIDKey(nil, spaceDeleted, k.no, (*[32]byte)(&k.author)), &h.rec); err != nil {
			return err
		}
	}
	for k, h := range g.gone.windows {
		if err := g.setRecord(appendWindowKey(nil, spaceDeleted, k), &h.rec); err != nil {
			return err
		}
	}
	return nil
}
