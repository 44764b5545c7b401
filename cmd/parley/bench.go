package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/cmd/parley/internal/bench"
	"github.com/parley-chat/parley/cmd/parley/internal/show"
)

func (a *app) benchCommand() *cobra.Command {
	c := a.groupCommand("bench", a.text.T("measure how fast Parley is on this machine"), a.text.T("it needs a command: room, direct, sync, connections, registrar or start"))
	c.Long = a.text.T("measure how fast Parley is on this machine. Each node is a process with a directory of its own that is removed afterwards; they listen on loopback, unless connections is given an --address, and a node that runs already is left alone.")
	c.AddCommand(a.benchRoomCommand(), a.benchDirectCommand(), a.benchSyncCommand(), a.benchConnectionsCommand(), a.benchRegistrarCommand(), a.benchStartCommand(), a.benchMemberCommand(), a.benchNodeCommand())
	return c
}

// benchMemberCommand is one member of a workload, led over standard input.
func (a *app) benchMemberCommand() *cobra.Command {
	return &cobra.Command{
		Use:    bench.MemberArgs[1],
		Hidden: true,
		RunE:   func(*cobra.Command, []string) error { return bench.ServeMember(stdio{os.Stdin, os.Stdout}) },
	}
}

// benchNodeCommand is run, and ends with its standard input too: with whoever
// measures it, however he ends.
func (a *app) benchNodeCommand() *cobra.Command {
	c := a.runCommand()
	c.Use, c.Hidden = bench.NodeArgs[1], true
	run := c.RunE
	c.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, cancel := context.WithCancel(cmd.Context())
		defer cancel()
		go func() { // ends with the input, at the latest with the process
			_, _ = io.Copy(io.Discard, a.in)
			cancel()
		}()
		cmd.SetContext(ctx)
		return run(cmd, args)
	}
	return c
}

// stdio is what the leader of a workload speaks over.
type stdio struct {
	io.Reader
	io.WriteCloser
}

// stage tells on standard error how a measurement goes on.
func (a *app) stage(format string, args ...any) { _ = a.note(format, args...) }

// measured prints a result.
func (a *app) measured(r *bench.Result, err error) error {
	if err != nil {
		return errBench.With(err)
	}
	if a.json {
		err = show.JSON(a.out, r)
	} else {
		err = show.Table(a.out, []string{a.text.T("what"), a.text.T("measured")}, a.rows(r))
	}
	if err == nil && r.Carried != nil && r.Lost > 0 {
		return errLost
	}
	return err
}

// rows are what was measured, for people.
func (a *app) rows(r *bench.Result) (rows [][]string) {
	row := func(measured bool, name, format string, value any) {
		if measured {
			rows = append(rows, []string{name, fmt.Sprintf(format, value)})
		}
	}
	if c := r.Carried; c != nil {
		each := a.text.T("messages a second, to everyone")
		if r.InFlight > 0 {
			each = a.text.T("acknowledged messages a second")
		}
		row(true, each, "%.0f", c.PerSecond)
		row(true, a.text.T("half took at most"), "%.2f ms", c.P50)
		row(true, a.text.T("99 of 100 took at most"), "%.2f ms", c.P99)
		row(true, a.text.T("the longest took"), "%.2f ms", c.Max)
		row(true, a.text.T("sent"), "%d", c.Sent)
		row(true, a.text.T("lost"), "%d", c.Lost)
		row(true, a.text.T("processor time a delivery"), "%.1f µs", c.CPU)
	} else {
		row(r.Missing == 0, a.text.T("messages stored"), "%d", r.Events)
		row(r.Missing > 0, a.text.T("missing messages found"), "%d", r.Missing)
		row(r.Seconds > 0, a.text.T("time until all were there"), "%.3f s", r.Seconds)
		row(r.EventsPerS > 0, a.text.T("messages a second"), "%.0f", r.EventsPerS)
		row(r.Kilobytes > 0, a.text.T("sent and received"), "%.1f kB", r.Kilobytes)
	}
	if r.Repaired != nil {
		row(true, a.text.T("came by sync"), "%d", *r.Repaired)
	}
	row(r.Silence > 0, a.text.T("longest silence"), "%.0f ms", r.Silence)
	row(r.SyncMS > 0, a.text.T("one write to this disk"), "%.2f ms", r.SyncMS)
	memory := a.text.T("most memory of a process")
	if r.HubCores > 0 {
		memory = a.text.T("most memory of the hub")
	}
	row(r.RSS > 0, memory, "%.0f MB", r.RSS)
	row(r.HubCores > 0, a.text.T("processors the hub took"), "%.2f", r.HubCores)
	row(r.SetUpMS > 0, a.text.T("until all were connected and in their rooms"), "%.0f ms", r.SetUpMS)
	row(r.ReadyMS > 0, a.text.T("ready after a clean end"), "%.0f ms", r.ReadyMS)
	row(r.KilledMS > 0, a.text.T("ready after a kill"), "%.0f ms", r.KilledMS)
	row(r.FirstMS > 0, a.text.T("first message of two fresh nodes"), "%.0f ms", r.FirstMS)
	return rows
}
