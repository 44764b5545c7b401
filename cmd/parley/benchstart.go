package main

import (
	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/cmd/parley/internal/bench"
)

const (
	maxBenchRooms = 1000
	maxRounds     = 100
)

func (a *app) benchStartCommand() *cobra.Command {
	var o bench.StartOptions
	c := a.command(&cobra.Command{
		Use:               "start",
		Short:             a.text.T("measure how soon a node is ready, and two fresh ones talk"),
		Args:              a.args(0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.firstWrong(
				a.within("--events", o.Events, 1, maxBenchEvents),
				a.within("--rooms", o.Rooms, 1, min(o.Events, maxBenchRooms)),
				a.within("--rounds", o.Rounds, 1, maxRounds),
			); err != nil {
				return err
			}
			r, err := bench.Start(cmd.Context(), o, a.stage)
			return a.measured(r, err)
		},
	})
	f := c.Flags()
	f.IntVar(&o.Events, "events", 1_000_000, a.text.T("how many messages are stored, `N`"))
	f.IntVar(&o.Rooms, "rooms", 1, a.text.T("in how many rooms, `R`"))
	f.IntVar(&o.Rounds, "rounds", 5, a.text.T("how often each is measured, `N`; medians are told"))
	return c
}
