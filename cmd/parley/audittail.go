package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/cmd/parley/internal/show"
	"github.com/parley-chat/parley/internal/audit"
)

// followEvery is how often a log that is followed is looked at.
const followEvery = 200 * time.Millisecond

func (a *app) auditTailCommand() *cobra.Command {
	var follow bool
	var limit uint32
	c := a.command(&cobra.Command{
		Use:   "tail",
		Short: a.text.T("print the newest records of the audit log, one a line"),
		Long:  a.text.T("print the newest records of the audit log, one a line and oldest first, each with its number; with --json as they are in the log. It reads the files, also while the registrar runs, and checks only that each record is whole: verify checks all."),
		Example: `  parley audit tail -f
  parley audit tail --limit 0 --json | jq -r 'select(.op == "refuse") | .reason'`,
		Args: a.args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			size, err := audit.Size(a.auditDir())
			if err != nil {
				return err
			}
			from := int64(0)
			if limit > 0 {
				from = max(0, size-int64(limit))
			}
			r, err := audit.NewReader(a.auditDir(), from)
			if err != nil {
				return err
			}
			defer r.Close()
			return a.auditTail(cmd.Context(), r, from, follow)
		},
	})
	c.Flags().BoolVarP(&follow, "follow", "f", false, a.text.T("go on with what comes, until interrupted"))
	c.Flags().Uint32Var(&limit, "limit", defaultLimit, a.text.T("at most `N` records; 0 is all"))
	return c
}

// auditTail prints records from one on. Following ends when it is interrupted,
// which is its normal end.
func (a *app) auditTail(ctx context.Context, r *audit.Reader, from int64, follow bool) error {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	out := bufio.NewWriter(a.out)
	for {
		line, err := r.Line()
		if errors.Is(err, io.EOF) {
			if err := out.Flush(); err != nil || !follow {
				return err
			}
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
				continue
			}
		}
		if err == nil {
			err = a.printLine(out, line, from)
		}
		if err != nil {
			return errors.Join(out.Flush(), err)
		}
		from++
	}
}

// printLine prints a line that should be record n.
func (a *app) printLine(w io.Writer, line []byte, n int64) error {
	record, err := audit.ParseAt(line, n)
	if err != nil {
		return err
	}
	if a.json {
		_, err := fmt.Fprintf(w, "%s\n", line)
		return err
	}
	return a.printRecord(w, &record)
}

// printRecord says in words what a record tells.
func (a *app) printRecord(w io.Writer, r *audit.Record) error {
	var line strings.Builder
	fmt.Fprintf(&line, "%d  %s  %s", r.Index, show.When(r.Time, time.Now()), a.deed(r))
	if r.Reason != "" && !codeMade(r) {
		line.WriteString(" (" + r.Reason + ")")
	}
	if r.Addr != "" {
		line.WriteString(", " + a.text.T("from %s", r.Addr))
	}
	if r.MAC != "" {
		line.WriteString(", " + r.MAC)
	}
	if r.Detail != "" {
		line.WriteString(": " + r.Detail)
	}
	_, err := fmt.Fprintln(w, show.Clean(line.String()))
	return err
}

// deed says who did what.
func (a *app) deed(r *audit.Record) string {
	who, whom := a.someone(r.Actor), show.ShortID(r.Subject)
	switch r.Op {
	case audit.OpRegister:
		return a.text.T("%s was given a ticket", who)
	case audit.OpLogin:
		return a.text.T("%s was let in", who)
	case audit.OpRefuse:
		return a.text.T("%s was refused", who)
	case audit.OpRevoke:
		return a.text.T("%s revoked %s", who, whom)
	case audit.OpForward:
		if r.Subject == "" {
			return a.text.T("messages of %d bytes in all were handed on", r.Size)
		}
		return a.text.T("message %s of %d bytes was handed on", whom, r.Size)
	case audit.OpAdmin:
		if codeMade(r) {
			return a.text.T("%s made the code %s", who, r.Subject)
		}
		return strings.TrimRight(a.text.T("%s changed a setting", who)+" "+whom, " ")
	default: // of a newer Parley
		return strings.TrimRight(who+" "+r.Op+" "+whom, " ")
	}
}

// codeMade tells records of enrolment codes, whose subject is a code's name.
func codeMade(r *audit.Record) bool { return r.Op == audit.OpAdmin && r.Reason == "code" }

// someone is a peer ID as people see it, or a word for who has none.
func (a *app) someone(id string) string {
	if id == "" {
		return a.text.T("somebody")
	}
	return show.ShortID(id)
}
