package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/cmd/parley/internal/show"
	"github.com/parley-chat/parley/node"
)

// defaultOverlap is how long members have time to take the new invite.
const defaultOverlap = 7 * 24 * time.Hour

func (a *app) networkRotateCommand() *cobra.Command {
	var overlap time.Duration
	var finish bool
	c := a.command(&cobra.Command{
		Use:   "rotate",
		Short: a.text.T("replace the secret of a closed network and print the new invite"),
		Long:  a.text.T("Replaces the secret of a closed network, in the directory where the network was made, and prints the new invite. Members take it with --invite-file. The old secret is accepted for --overlap beside the new one; a node that runs on the directory takes the change over within seconds and ends the overlap in time. Where none runs, --finish ends it."),
		Example: `  parley network rotate --overlap 48h
  parley network rotate --finish       # those who have not taken the new invite are out
  parley network rotate --overlap 0    # at once: the old invite is in wrong hands`,
		Args: a.args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case finish && cmd.Flags().Changed("overlap"):
				return a.usage(cmd.CommandPath(), "--finish and --overlap exclude each other")
			case finish:
				return a.finishRotation()
			case overlap < 0 || overlap > node.MaxOverlap:
				return a.badValue("--overlap", overlap.String(), a.text.T("it is 0 to 366 days, in hours, such as 168h"))
			}
			return a.rotate(cmd, overlap)
		},
	})
	c.Flags().DurationVar(&overlap, "overlap", defaultOverlap, a.text.T("how long the old secret is accepted beside the new one, `D`"))
	c.Flags().BoolVar(&finish, "finish", false, a.text.T("accept old secrets no more, and make no new one"))
	return c
}

func (a *app) rotate(cmd *cobra.Command, overlap time.Duration) error {
	f, err := node.RotateNetwork(a.dir, overlap, time.Now())
	if err != nil {
		return err
	}
	out := a.networkOf(f)
	out.Invite = f.Invite(a.ownAddr(cmd.Context())).String()
	if !a.json {
		if err := a.note("the network %s has a new secret; whoever has this invite can join it:", out.Network); err != nil {
			return err
		}
	}
	if err := a.print(out, "%s", out.Invite); err != nil || a.json {
		return err
	}
	if overlap == 0 {
		return a.note("hand it to every member: the old secret is not accepted any more")
	}
	return a.note("hand it to every member by %s: until then the old secret is accepted too", a.overlapEnd(f))
}

func (a *app) finishRotation() error {
	f, err := node.FinishRotation(a.dir)
	if err != nil {
		return err
	}
	out := a.networkOf(f)
	return a.print(out, "only the newest secret of the network %s is accepted now", out.Network)
}

// overlapEnd is when old secrets end, as people read it; empty if none is
// accepted.
func (a *app) overlapEnd(f *node.NetworkFile) string {
	until, ok := node.OverlapEnd(a.dir, f)
	if !ok {
		return ""
	}
	return until.Local().Format("2006-01-02 15:04")
}

// overlapEndJSON is the same for programs.
func (a *app) overlapEndJSON(f *node.NetworkFile) string {
	until, ok := node.OverlapEnd(a.dir, f)
	if !ok {
		return ""
	}
	return show.Time(until)
}
