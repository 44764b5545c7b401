package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/parley-chat/parley/api/client"
	"github.com/parley-chat/parley/cmd/parley/internal/config"
	"github.com/parley-chat/parley/cmd/parley/internal/show"
	"github.com/parley-chat/parley/cmd/parley/internal/text"
)

// app is one invocation: where it reads and writes, the person's language, and
// the settings common to all commands.
type app struct {
	text     *text.Printer
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string

	name   string // of the program, as hints call it; empty: parley
	dir    string // data directory, absolute once settle was called
	json   bool
	inChat bool // what is typed are the chat's commands, not the shell's
}

// notSettings are flags that neither the environment nor the file can give.
var notSettings = []string{"help", "version"}

// settle completes the settings of a command from the environment and the
// file in the data directory, whose place must be known first.
func (a *app) settle(cmd *cobra.Command) error {
	if err := a.settleDir(cmd.Flags()); err != nil {
		return err
	}
	values, err := config.Read(a.dir, knownFlags(cmd.Root()))
	if err != nil {
		return a.badFile(err)
	}
	path := filepath.Join(a.dir, config.FileName)
	err = config.Apply(cmd.Flags(), a.getenv, values, path, append(notSettings, "dir")...)
	var bad *config.BadValue
	if errors.As(err, &bad) {
		return a.badValue(bad.Where, bad.Value, "")
	}
	return err
}

// badFile puts into words why the configuration file cannot be used.
func (a *app) badFile(err error) error {
	var bad *config.BadFile
	if errors.As(err, &bad) && bad.Err == nil {
		return a.said(errConfigFile, a.text.T("%s has the unknown key %q", bad.Path, bad.Key), a.text.T("correct or remove it"))
	}
	return errConfigFile.With(err)
}

func (a *app) settleDir(flags *pflag.FlagSet) error {
	if !flags.Changed("dir") {
		a.dir = a.getenv(config.EnvName("dir"))
	} else if a.dir == "" {
		return a.badValue("--dir", "", "") // a script's variable that is not set
	}
	if a.dir == "" {
		dir, err := defaultDir(a.getenv)
		if err != nil {
			return a.badValue("--dir", "", err.Error())
		}
		a.dir = dir
	}
	dir, err := filepath.Abs(a.dir)
	if err != nil {
		return a.badValue("--dir", a.dir, err.Error())
	}
	a.dir = dir
	return nil
}

// knownFlags are the flags of all commands, which are the keys of the file;
// the directory alone cannot be told by a file in it.
func knownFlags(root *cobra.Command) []string {
	var known []string
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		for _, flags := range []*pflag.FlagSet{c.Flags(), c.PersistentFlags()} {
			flags.VisitAll(func(f *pflag.Flag) {
				if f.Name != "dir" && !slices.Contains(notSettings, f.Name) {
					known = append(known, f.Name)
				}
			})
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(root)
	return known
}

// dial calls the running node; without one the error says how to start it.
func (a *app) dial(ctx context.Context) (*client.Client, error) {
	c, err := client.Dial(ctx, a.dir)
	if err != nil {
		return nil, a.noNode(err)
	}
	return c, nil
}

// withNode runs f with the running node's API.
func (a *app) withNode(cmd *cobra.Command, f func(context.Context, *client.Client) error) error {
	c, err := a.dial(cmd.Context())
	if err != nil {
		return err
	}
	defer c.Close()
	return f(cmd.Context(), c)
}

// print writes one object as JSON, or the line for people.
func (a *app) print(object any, format string, args ...any) error {
	if a.json {
		return show.JSON(a.out, object)
	}
	_, err := fmt.Fprintln(a.out, a.text.T(format, args...))
	return err
}
