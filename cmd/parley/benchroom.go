package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/cmd/parley/internal/bench"
)

func (a *app) benchRoomCommand() *cobra.Command {
	var o bench.RoomOptions
	var rate string
	c := a.command(&cobra.Command{
		Use:   "room",
		Short: a.text.T("measure a room in which some send and all receive"),
		Example: `  parley bench room --nodes 10 --rate max
  parley bench room --nodes 50 --rate 100 --baseline
  parley bench room --transport quic --loss 0.2 --json`,
		Args:              a.args(0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.Rate, err = a.rate(rate); err != nil {
				return err
			}
			if err := a.checkRoom(&o); err != nil {
				return err
			}
			r, err := bench.Room(cmd.Context(), o, a.stage)
			return a.measured(r, err)
		},
	})
	f := c.Flags()
	f.IntVar(&o.Nodes, "nodes", 10, a.text.T("how many members there are, `N`"))
	f.IntVar(&o.Senders, "senders", 1, a.text.T("how many of them send, `S`"))
	f.StringVar(&rate, "rate", "100", a.text.T("messages a second of each sender, `R`, or max"))
	a.sizeFlag(c, &o.Size)
	a.durationFlag(c, &o.For)
	a.pathFlags(c, &o.Transport, &o.Loss)
	f.BoolVar(&o.InProcess, "in-process", false, a.text.T("all nodes in one process"))
	f.BoolVar(&o.Baseline, "baseline", false, a.text.T("plain go-libp2p-pubsub in Parley's place: signed, not stored"))
	a.profilesFlag(c, &o.Profiles)
	f.IntVar(&o.Upset.Kill, "kill", 0, a.text.T("members that die while others send, `N`"))
	f.IntVar(&o.Upset.Stop, "stop", 0, a.text.T("members that fall silent while others send, `N`"))
	f.IntVar(&o.Upset.Slow, "slow", 0, a.text.T("members that run a tenth of the time, `N`"))
	f.IntVar(&o.Upset.Churn, "churn", 0, a.text.T("members that are killed and started again every 3 s, `N`"))
	return c
}

func (a *app) checkRoom(o *bench.RoomOptions) error {
	u, upset := o.Upset, o.Upset.Count()
	if err := a.firstWrong(
		a.within("--nodes", o.Nodes, 2, maxBenchNodes),
		a.within("--kill", u.Kill, 0, maxBenchNodes),
		a.within("--stop", u.Stop, 0, maxBenchNodes),
		a.within("--slow", u.Slow, 0, maxBenchNodes),
		a.within("--churn", u.Churn, 0, maxBenchNodes),
		check{o.Nodes-upset >= 2, "--nodes", o.Nodes, a.text.T("at least two are to be left after --kill, --stop, --slow and --churn")},
		check{upset == 0 || !o.InProcess, "--in-process", o.InProcess, a.text.T("--kill, --stop, --slow and --churn need processes")},
		check{bench.CanPause || u.Stop+u.Slow == 0, "--stop, --slow", u.Stop + u.Slow, a.text.T("a process cannot be paused on this platform")},
		a.within("--senders", o.Senders, 1, o.Nodes-upset),
		a.sizeCheck(o.Size),
		a.durationCheck(o.For),
	); err != nil {
		return err
	}
	return a.pathCheck(o.Transport, o.Loss)
}

// rate reads messages a second; 0 is as many as go.
func (a *app) rate(s string) (float64, error) {
	if s == "max" {
		return 0, nil
	}
	r, err := strconv.ParseFloat(s, 64)
	if err != nil || !(r > 0 && r <= maxBenchRate) {
		return 0, a.badValue("--rate", s, a.text.T("it is a number above 0, at most %d, or max", maxBenchRate))
	}
	return r, nil
}
