package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/cmd/parley/internal/show"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/fault"
	"github.com/parley-chat/parley/node"
)

// checked is what store check prints.
type checked struct {
	Events uint64 `json:"events"`
	Logs   int    `json:"logs"`
	Bytes  int64  `json:"bytes"`
}

// repaired is what store repair prints.
type repaired struct {
	Kept    int      `json:"kept"`
	Lost    int      `json:"lost"`
	Refused int      `json:"refused"`
	Damaged []string `json:"damaged"`
	Aside   string   `json:"aside"`
}

func (a *app) storeCommand() *cobra.Command {
	c := a.groupCommand("store", a.text.T("check or repair the store of a node that does not run"), a.text.T("it needs a command: check or repair"))
	c.AddCommand(
		a.command(&cobra.Command{
			Use:   "check",
			Short: a.text.T("compare everything in the store with everything else and tell what does not fit"),
			Args:  a.args(0, 0),
			RunE:  func(cmd *cobra.Command, _ []string) error { return a.checkStore(cmd.Context()) },
		}),
		a.command(&cobra.Command{
			Use:   "repair",
			Short: a.text.T("make a new store of all that can be read of a damaged one, which is kept aside"),
			Args:  a.args(0, 0),
			RunE:  func(cmd *cobra.Command, _ []string) error { return a.repairStore(cmd.Context()) },
		}),
	)
	return c
}

// storeOptions finds the store of the directory and its key.
func (a *app) storeOptions() (eventlog.Options, error) {
	id, err := node.LoadIdentity(a.dir)
	if err != nil {
		return eventlog.Options{}, err
	}
	o := eventlog.Options{Dir: filepath.Join(a.dir, "store"), Key: id.StoreKey()}
	made, err := filepath.Glob(o.Dir + ".salvaged") // of a repair that was interrupted: opening ends it
	if _, statErr := os.Stat(o.Dir); errors.Is(statErr, fs.ErrNotExist) && err == nil && len(made) == 0 {
		return o, a.said(errNoStore, a.text.T("there is no store in %s", a.dir), a.text.T("start parley on it once, or choose another --dir"))
	}
	return o, nil
}

func (a *app) checkStore(ctx context.Context) error {
	o, err := a.storeOptions()
	if err != nil {
		return err
	}
	s, err := eventlog.Open(ctx, o)
	if err != nil {
		return a.damaged(err)
	}
	err = s.Check(ctx)
	st := s.Stats()
	if err := errors.Join(err, s.Close()); err != nil {
		return a.damaged(err)
	}
	return a.print(checked{st.Events, st.Logs, bytesIn(o.Dir)},
		"nothing is wrong with the store: %d events in %d rooms and direct chats", st.Events, st.Logs)
}

// bytesIn is what the files of a directory take on disk.
func bytesIn(dir string) (sum int64) {
	files, _ := os.ReadDir(dir) // what cannot be read counts for nothing
	for _, f := range files {
		if info, err := f.Info(); err == nil {
			sum += info.Size()
		}
	}
	return sum
}

// damaged says of a damaged store how to repair it.
func (a *app) damaged(err error) error {
	if !errors.Is(err, eventlog.ErrCorrupt) {
		return err
	}
	return a.said(eventlog.ErrCorrupt, a.text.T("the store is damaged: %s", show.Clean(cause(err))),
		a.text.T("make a new one of what can be read: %s", a.shell(" store repair")))
}

// cause is what lies below a damaged store's error, on one line.
func cause(err error) string {
	if f, ok := fault.As(err); ok && f.Err != nil {
		err = f.Err
	}
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}

func (a *app) repairStore(ctx context.Context) error {
	o, err := a.storeOptions()
	if err != nil {
		return err
	}
	p := a.progress()
	done, err := eventlog.Salvage(ctx, o, func(s eventlog.Salvaged) { p.at(uint64(s.Events)) })
	p.end()
	if err != nil {
		return err
	}
	slices.Sort(done.Damaged)
	err = a.print(repaired{done.Events, done.Lost, done.Refused, orEmpty(done.Damaged), done.Aside},
		"kept %d events; %d are known to be lost", done.Events, done.Lost)
	if err != nil || a.json {
		return err
	}
	if done.Lost == 0 && done.Refused == 0 && len(done.Damaged) == 0 {
		return a.note("nothing in it was damaged. The former store lies in %s: delete it when all is well.", done.Aside)
	}
	return a.note("the damaged store lies in %s: delete it when all is well. Start parley and give it a while with others before you write: what they have comes back from them.", done.Aside)
}
