package eventlog

import (
	"context"

	"github.com/parley-chat/parley/internal/event"
)

type Place struct {
	Seq uint64
	ID  event.ID
}

type Cut struct {
	Author event.Author
	At     event.HLC
	Named  map[event.LogID]Place
}

func (s *Store) SetCuts(ctx context.Context, cuts []Cut) (deleted int, err error) { return 0, nil }
