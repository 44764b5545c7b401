package main

import (
	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/cmd/parley/internal/bench"
)

const (
	maxMissing = 100_000 // each is written alone
	maxBurst   = 4096
)

func (a *app) benchSyncCommand() *cobra.Command {
	var o bench.SyncOptions
	c := a.command(&cobra.Command{
		Use:               "sync",
		Short:             a.text.T("measure how a newcomer catches up, and how messages are found that one lacks"),
		Args:              a.args(0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.firstWrong(
				a.within("--events", o.Events, 1, maxBenchEvents),
				a.within("--missing", o.Missing, 0, maxMissing),
				a.within("--burst", o.Burst, 1, maxBurst),
				a.sizeCheck(o.Size),
			); err != nil {
				return err
			}
			if err := a.pathCheck(o.Transport, o.Loss); err != nil {
				return err
			}
			caughtUp, synced, err := bench.Sync(cmd.Context(), o, a.stage)
			if err = a.measured(caughtUp, err); err != nil || synced == nil {
				return err
			}
			return a.measured(synced, nil)
		},
	})
	f := c.Flags()
	f.IntVar(&o.Events, "events", 100_000, a.text.T("messages in the room's history, `N`"))
	f.IntVar(&o.Missing, "missing", 100, a.text.T("messages that one lacks in the end, `M`"))
	f.IntVar(&o.Burst, "burst", 256, a.text.T("messages that were written at a time, `K`: 1 has each signed alone"))
	a.sizeFlag(c, &o.Size)
	a.pathFlags(c, &o.Transport, &o.Loss)
	a.profilesFlag(c, &o.Profiles)
	return c
}
