package main

import (
	"net"
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/cmd/parley/internal/bench"
)

func (a *app) benchConnectionsCommand() *cobra.Command {
	var o bench.ConnectionsOptions
	var address string
	c := a.command(&cobra.Command{
		Use:   "connections",
		Short: a.text.T("measure a node with many others connected to it, in rooms of four and itself"),
		Example: `  parley bench connections --n 500 --rate 1200
  parley bench connections --address 10.0.0.1 --json`,
		Args:              a.args(0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.Address, err = a.ownAddress(address); err != nil {
				return err
			}
			if err := a.checkConnections(&o); err != nil {
				return err
			}
			r, err := bench.Connections(cmd.Context(), o, a.stage)
			return a.measured(r, err)
		},
	})
	f := c.Flags()
	f.IntVar(&o.Leaves, "n", 500, a.text.T("how many nodes are connected, `N`, a multiple of 4"))
	f.Float64Var(&o.Rate, "rate", 1200, a.text.T("messages a second of all of them together, `R`"))
	a.sizeFlag(c, &o.Size)
	a.durationFlag(c, &o.For)
	a.transportFlag(c, &o.Transport)
	f.StringVar(&address, "address", "", a.text.T("listen on, and connect from, this `IP` of this machine in place of loopback; others on the network reach the node then, but do not get in"))
	a.profilesFlag(c, &o.Profiles)
	return c
}

func (a *app) checkConnections(o *bench.ConnectionsOptions) error {
	need, have := bench.OpenFilesNeeded(o.Leaves), bench.OpenFiles()
	return a.firstWrong(
		a.within("--n", o.Leaves, bench.Seats, maxBenchNodes),
		check{o.Leaves%bench.Seats == 0, "--n", o.Leaves, a.text.T("it is a multiple of %d: so many are in each room", bench.Seats)},
		check{need <= have, "--n", o.Leaves, a.text.T("a process may have %d files and connections open here, and %d are needed: raise the limit with ulimit -n, or take fewer", have, need)},
		check{o.Rate > 0 && o.Rate <= maxBenchRate, "--rate", o.Rate, a.text.T("it is a number above 0, at most %d", maxBenchRate)},
		a.sizeCheck(o.Size), a.durationCheck(o.For), a.transportCheck(o.Transport),
	)
}

// ownAddress reads an address of this machine; empty is none.
func (a *app) ownAddress(s string) (netip.Addr, error) {
	if s == "" {
		return netip.Addr{}, nil
	}
	addr, err := netip.ParseAddr(s)
	if err != nil || addr.Zone() != "" {
		return addr, a.badValue("--address", s, a.text.T("it is an IP address such as 10.0.0.1"))
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return addr, errBench.With(err)
	}
	for _, o := range own {
		if n, ok := o.(*net.IPNet); ok && n.IP.Equal(addr.AsSlice()) {
			return addr.Unmap(), nil
		}
	}
	return addr, a.badValue("--address", s, a.text.T("this machine does not have it"))
}
