package main

import (
	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/cmd/parley/internal/bench"
)

// As many as one may have under way, and as many bytes of them.
const (
	maxInFlight      = 1024
	maxInFlightBytes = 1 << 20
)

func (a *app) benchDirectCommand() *cobra.Command {
	var o bench.DirectOptions
	c := a.command(&cobra.Command{
		Use:               "direct",
		Short:             a.text.T("measure a direct chat, from sending to the acknowledgement by the other's disk"),
		Args:              a.args(0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.firstWrong(
				a.within("--in-flight", o.InFlight, 1, maxInFlight),
				a.sizeCheck(o.Size), a.durationCheck(o.For),
				check{o.InFlight*o.Size <= maxInFlightBytes, "--in-flight", o.InFlight, a.text.T("with texts of this --size it is at most %d", maxInFlightBytes/max(1, o.Size))},
			); err != nil {
				return err
			}
			if err := a.pathCheck(o.Transport, o.Loss); err != nil {
				return err
			}
			r, err := bench.Direct(cmd.Context(), o, a.stage)
			return a.measured(r, err)
		},
	})
	f := c.Flags()
	f.IntVar(&o.InFlight, "in-flight", 1, a.text.T("how many messages may wait for their acknowledgement, `N`"))
	a.sizeFlag(c, &o.Size)
	a.durationFlag(c, &o.For)
	a.pathFlags(c, &o.Transport, &o.Loss)
	f.BoolVar(&o.InProcess, "in-process", false, a.text.T("all nodes in one process"))
	a.profilesFlag(c, &o.Profiles)
	return c
}
