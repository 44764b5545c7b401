package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/parley-chat/parley/api"
	"github.com/parley-chat/parley/api/client"
)

func (a *app) chatCommand() *cobra.Command {
	var flags *runFlags
	c := a.command(&cobra.Command{
		Use:   "parley",
		Short: a.text.T("Parley is a messenger without servers: nodes find each other on the LAN and talk in rooms."),
		Long: a.text.T("Parley is a messenger without servers: nodes find each other on the LAN and talk in rooms.") + "\n\n" +
			a.text.T("Without a command, on a terminal: a chat. It uses the node that runs on the directory, or runs one."),
		Example: `  parley
  parley run --name ada --join lobby
  parley send lobby "hello, everybody"`,
		Args: a.noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !isTerminal(a.in) || !isTerminal(a.out) {
				return errTerminal
			}
			return a.chat(cmd, flags)
		},
	})
	flags = a.runFlags(c)
	return c
}

// noCommand refuses what is neither a command nor a flag.
func (a *app) noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	name := strings.TrimSpace(strings.TrimPrefix(cmd.CommandPath(), "parley") + " " + args[0])
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return a.usage(cmd.CommandPath(), "there is no command %q; did you mean %s?", name, near[0])
	}
	return a.usage(cmd.CommandPath(), "there is no command %q", name)
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// chat attaches to the node on the directory, or runs one for as long as the
// chat lasts; that one answers other commands too.
func (a *app) chat(cmd *cobra.Command, flags *runFlags) error {
	ctx := cmd.Context()
	var own *daemon
	if _, err := client.Dial(ctx, a.dir); errors.Is(err, api.ErrNoNode) {
		log, err := a.chatLogger(cmd, flags)
		if err != nil {
			return err
		}
		if own, err = startDaemon(ctx, a, flags, log); err != nil {
			return err
		}
		defer closeInTime(own, log)
	} else if names := flags.given(cmd.Flags()); len(names) > 0 {
		err := a.note("a node runs on this directory already: it is used as it is, without %s", strings.Join(names, ", "))
		if err != nil {
			return err
		}
	}
	c, err := a.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return a.talk(ctx, c, own, flags.join)
}

// closeInTime closes, but keeps the person waiting no longer than closeTime.
func closeInTime(d *daemon, log *slog.Logger) {
	done := make(chan struct{})
	go func() { // ends with closing, at the latest with the process
		defer close(done)
		if err := d.close(); err != nil {
			log.Error("closing the node", "err", err)
		}
	}()
	select {
	case <-done:
	case <-time.After(closeTime):
		log.Warn("ending took too long and was cut short")
	}
}

// chatLogger keeps the log out of the chat unless it was asked for.
func (a *app) chatLogger(cmd *cobra.Command, flags *runFlags) (*slog.Logger, error) {
	log, err := flags.logger(a)
	if err != nil || cmd.Flags().Changed("log-level") {
		return log, err
	}
	return slog.New(slog.DiscardHandler), nil
}

// talk opens the line editor and holds the session in it. own is the node if
// this process runs it.
func (a *app) talk(ctx context.Context, c *client.Client, own *daemon, join []string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := newSession(a, c)
	s.own = own
	ed, err := newEditor(s)
	if err != nil {
		return err
	}
	defer ed.Close()
	s.screen = ed
	// What other code of the command prints goes through the editor now, which
	// keeps the line being typed whole.
	s.app.out, s.app.err = ed, ed
	if err = s.hold(ctx, join); !s.quit {
		ed.Close()
		fmt.Fprintln(a.out) // leaves the line with the prompt
	}
	return err
}

// screen is where a session shows lines and gets them from.
type screen interface {
	io.Writer
	// ReadLine returns io.EOF when the person is done.
	ReadLine() (string, error)
	SetPrompt(prompt string)
}
