package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/cmd/parley/internal/bench"
	"github.com/parley-chat/parley/cmd/parley/internal/show"
)

const (
	maxBenchClients = 8000
	maxBenchGuesses = 100_000
)

func (a *app) benchRegistrarCommand() *cobra.Command {
	var o bench.RegistrarOptions
	c := a.command(&cobra.Command{
		Use:   "registrar",
		Short: a.text.T("measure a registrar with many clients, which register and send heartbeats"),
		Example: `  parley bench registrar --clients 5000 --rate 1000
  parley bench registrar --ramp --json
  parley bench registrar --guess 10000`,
		Args:              a.args(0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.checkRegistrarBench(&o); err != nil {
				return err
			}
			r, err := bench.Registrar(cmd.Context(), o, a.stage)
			if err != nil {
				return errBench.With(err)
			}
			return a.printRegistrarBench(r)
		},
	})
	f := c.Flags()
	f.IntVar(&o.Clients, "clients", 5000, a.text.T("how many clients are connected, `N`"))
	f.Float64Var(&o.Rate, "rate", 1000, a.text.T("registrations and heartbeats a second of all of them together, `R`"))
	f.BoolVar(&o.Ramp, "ramp", false, a.text.T("call at rising rates besides, until not all is answered in time"))
	f.Float64Var(&o.Guess, "guess", 0, a.text.T("measure besides how others fare while somebody at another address tries wrong codes, `R` a second"))
	a.durationFlag(c, &o.For)
	a.profilesFlag(c, &o.Profiles)
	return c
}

func (a *app) checkRegistrarBench(o *bench.RegistrarOptions) error {
	need, have := o.Clients+200, bench.OpenFiles()
	return a.firstWrong(
		a.within("--clients", o.Clients, 1, maxBenchClients),
		check{need <= have, "--clients", o.Clients, a.text.T("a process may have %d files and connections open here, and %d are needed: raise the limit with ulimit -n, or take fewer", have, need)},
		check{o.Rate > 0 && o.Rate <= maxBenchRate, "--rate", o.Rate, a.text.T("it is a number above 0, at most %d", maxBenchRate)},
		check{o.Guess >= 0 && o.Guess <= maxBenchGuesses, "--guess", o.Guess, a.text.T("it is a number from 0 to %d", maxBenchGuesses)},
		a.durationCheck(o.For),
	)
}

func (a *app) printRegistrarBench(r *bench.RegistrarResult) error {
	if a.json {
		return show.JSON(a.out, r)
	}
	rows := a.answeredRows(&r.Answered)
	row := func(name, format string, values ...any) {
		rows = append(rows, []string{name, fmt.Sprintf(format, values...)})
	}
	row(a.text.T("memory of the registrar"), "%.0f MB", r.RSS)
	row(a.text.T("memory a client"), "%.0f kB", r.KB)
	row(a.text.T("processors the registrar took"), "%.2f", r.Cores)
	row(a.text.T("until all were connected and registered"), "%.0f ms", r.SetUpMS)
	for _, p := range r.Curve {
		row(a.text.T("asked for %.0f a second", p.Asked), "%.0f/s, %.1f ms, 99 %% %.1f ms", p.PerSecond, p.Mean, p.P99)
	}
	if g := r.Guesses; g != nil {
		row(a.text.T("guesses refused a second"), "%.0f", g.PerSecond)
		row(a.text.T("beside them 99 of 100 took at most"), "%.2f ms", g.Beside.P99)
		row(a.text.T("calls beside them that failed"), "%d", g.Beside.Errors)
	}
	return show.Table(a.out, []string{a.text.T("what"), a.text.T("measured")}, rows)
}

func (a *app) answeredRows(r *bench.Answered) [][]string {
	return [][]string{
		{a.text.T("calls a second"), fmt.Sprintf("%.0f", r.PerSecond)},
		{a.text.T("calls"), fmt.Sprint(r.Calls)},
		{a.text.T("calls that failed"), fmt.Sprint(r.Errors)},
		{a.text.T("a call took"), fmt.Sprintf("%.2f ms", r.Mean)},
		{a.text.T("half took at most"), fmt.Sprintf("%.2f ms", r.P50)},
		{a.text.T("99 of 100 took at most"), fmt.Sprintf("%.2f ms", r.P99)},
		{a.text.T("the longest took"), fmt.Sprintf("%.2f ms", r.Max)},
	}
}
