package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/parley-chat/parley/api"
	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/cmd/parley/internal/show"
	"github.com/parley-chat/parley/cmd/parley/internal/text"
	"github.com/parley-chat/parley/internal/fault"
	"github.com/parley-chat/parley/node"
)

// The faults of the command line itself.
var (
	errUsage      = fault.New("P1001", fault.User, "that is not how the command is used", "see parley --help")
	errConfigFile = fault.New("P1002", fault.User, "the configuration file cannot be used", "correct or remove it")
	errValue      = fault.New("P1003", fault.User, "a setting has a value it cannot have", "correct it")
	errTerminal   = fault.New("P1004", fault.User, "the chat needs a terminal", "use parley run to run a node, and commands such as parley send")
	errFile       = fault.New("P1007", fault.Environment, "a file cannot be read or written", "check its path and permissions")
	errMetrics    = fault.New("P1008", fault.Environment, "metrics cannot be served on that address", "choose another --metrics address")
	errUnforeseen = fault.New("P1009", fault.Bug, "something went wrong in an unforeseen way", "report it")
	errInput      = fault.New("P1010", fault.Environment, "standard input cannot be read", "check what is piped in")
	errOutput     = fault.New("P1011", fault.Environment, "standard output cannot be written", "check what it is redirected to")
	errNotText    = fault.New("P1012", fault.User, "the message is not text in UTF-8", "convert it, for example with iconv")
	errLine       = fault.New("P1031", fault.User, "a line of the file is not part of an export", "export it again: the file was changed or damaged")
	errCut        = fault.New("P1032", fault.User, "the file ends before the export does", "what is in it is imported; export it again for the rest")
	errNoExport   = fault.New("P1034", fault.User, "a direct chat cannot be exported", "copy the data directory while no node runs on it, or print the chat with parley history @PEER --limit 0 --json")
	errBench      = fault.New("P1035", fault.Environment, "the measurement failed", "see what it says; with fewer nodes or messages it takes less of the machine")
	errLost       = fault.New("P1036", fault.Bug, "messages were lost", "report it with what was measured")
	errCAExists   = fault.New("P1040", fault.User, "there is a CA in this directory", "use it, or choose another --dir")
	errNoCA       = fault.New("P1041", fault.User, "there is no CA in this directory", "make one with parley ca init, or choose another --dir")
	errCADamaged  = fault.New("P1042", fault.Environment, "the CA of this directory is damaged", "restore it from a backup, or make another one in a fresh --dir")
	errNotIssued  = fault.New("P1043", fault.User, "this CA issued no such certificate", "parley ca list tells those it issued")
	errTaken      = fault.New("P1044", fault.User, "a file is in the way", "remove it or choose another name")
	errNoEnd      = fault.New("P1050", fault.User, "it is not known what the registrar has written", "name it with --end")
	errNoKey      = fault.New("P1045", fault.User, "nobody is named whose signatures count", "name the registrar with --key PEERID")
	errNoStore    = fault.New("P1033", fault.User, "there is no store in this directory", "start parley on it once, or choose another --dir")
)

// errReported ends a command whose failures have been printed.
var errReported = errors.New("reported")

// Exit statuses.
const (
	statusFailed = 1
	statusUsage  = 2
	statusNoNode = 3
)

// usageFaults are those that say that the command was typed, or set up,
// wrongly: nothing was tried.
var usageFaults = []error{
	errUsage, errConfigFile, errValue, errTerminal, errNoExport, errNoKey,
	chat.ErrRoomName, chat.ErrNick, api.ErrArgument,
	node.ErrConfig, node.ErrNetworkName, node.ErrInvite, node.ErrSecret,
}

// report prints err on one line, in the person's language, and returns the
// exit status.
func (a *app) report(err error) int {
	if err == nil {
		return 0
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, errReported) {
		return statusFailed // interrupted, or said already
	}
	if p := new(fs.PathError); errors.As(err, &p) && p.Op == "write" && p.Path == os.Stdout.Name() {
		err = errOutput.With(p.Err)
	}
	fmt.Fprintln(a.err, "parley: "+a.say(err))
	switch {
	case errors.Is(err, api.ErrNoNode):
		return statusNoNode
	case slices.ContainsFunc(usageFaults, func(f error) bool { return errors.Is(err, f) }):
		return statusUsage
	default:
		return statusFailed
	}
}

// say puts an error into words for people.
func (a *app) say(err error) string {
	var said text.Said
	if errors.As(err, &said) {
		return show.Clean(said.Error())
	}
	f, ok := fault.As(err)
	if !ok {
		f = errUnforeseen.With(err)
	}
	return show.Clean(a.text.Fault(f))
}

// usage is errUsage in particular words, with the place to read more.
func (a *app) usage(help, format string, args ...any) error {
	return a.said(errUsage, a.text.T(format, args...), a.text.T("see %s", help+" --help"))
}

// said is a fault whose words are already in the person's language.
func (a *app) said(f *fault.Error, what, do string) error {
	return text.Said{Fault: f.Withf("%s", what).WithDo(do)}
}

// noNode says how to start a node on this very directory.
func (a *app) noNode(err error) error {
	if !errors.Is(err, api.ErrNoNode) {
		return err
	}
	return a.said(api.ErrNoNode,
		a.text.T("no node is running on %s", a.dir),
		a.text.T("start one with: %s", a.shell(" run")))
}

// badValue is errValue for one flag, variable or argument; why may be empty.
func (a *app) badValue(name, value, why string) error {
	what := a.text.T("%s cannot be %q", name, value)
	if why != "" {
		what += ": " + why
	}
	return a.said(errValue, what, a.text.T("correct it"))
}
