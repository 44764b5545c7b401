package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newRoot(a *app) *cobra.Command {
	root := a.chatCommand()
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.DisableDefaultCmd = true
	root.Version = a.versionLine(ourVersion())
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	flags := root.PersistentFlags()
	flags.StringVar(&a.dir, "dir", "", a.text.T("data `directory` (default: the platform's place for it)"))
	flags.BoolVar(&a.json, "json", false, a.text.T("print JSON, one object a line"))
	flags.BoolP("help", "h", false, a.text.T("show help"))
	root.Flags().Bool("version", false, a.text.T("print the release and the versions of wire and store"))
	root.SetFlagErrorFunc(a.flagError)
	root.SetHelpTemplate(a.helpTemplate())
	root.SetUsageTemplate(a.helpTemplate())
	root.AddCommand(
		a.runCommand(), a.networkCommand(), a.inviteCommand(),
		a.idCommand(), a.versionCommand(), a.statusCommand(),
		a.peersCommand(), a.nodesCommand(), a.roomsCommand(), a.directsCommand(), a.membersCommand(),
		a.joinCommand(), a.leaveCommand(),
		a.sendCommand(), a.historyCommand(), a.tailCommand(),
		a.exportCommand(), a.importCommand(), a.eraseCommand(), a.storeCommand(),
		a.registrarCommand(), a.registrarsCommand(), a.registerCommand(), a.revokeCommand(), a.codesCommand(), a.caCommand(), a.auditCommand(),
		a.benchCommand(),
		a.completionCommand(),
	)
	root.SetHelpCommand(a.helpCommand())
	_ = root.MarkPersistentFlagDirname("dir") // fails only for a flag that is not there
	return root
}

// command completes a subcommand: its settings are layered before it runs.
func (a *app) command(c *cobra.Command) *cobra.Command {
	c.PreRunE = func(cmd *cobra.Command, _ []string) error { return a.settle(cmd) }
	c.DisableFlagsInUseLine = true
	return c
}

// groupCommand is a command that only has others below it; needs says which.
func (a *app) groupCommand(name, short, needs string) *cobra.Command {
	return a.command(&cobra.Command{
		Use:   name,
		Short: short,
		Args:  a.noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.said(errUsage, needs, a.text.T("see %s", cmd.CommandPath()+" --help"))
		},
	})
}

// args checks the number of arguments; use names them as the help does.
func (a *app) args(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return a.usage(cmd.CommandPath(), "an argument is missing; it is used so: %s", cmd.UseLine())
		case most >= 0 && len(args) > most:
			return a.usage(cmd.CommandPath(), "%q is one argument too many; it is used so: %s", args[most], cmd.UseLine())
		default:
			return nil
		}
	}
}

// flagError says what is wrong with a flag.
func (a *app) flagError(cmd *cobra.Command, err error) error {
	help := cmd.CommandPath()
	var unknown *pflag.NotExistError
	var needs *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "":
		return a.usage(help, "there is no flag -%s (text that begins with a dash goes after --)", unknown.GetSpecifiedName())
	case errors.As(err, &unknown):
		return a.usage(help, "there is no flag --%s (text that begins with a dash goes after --)", unknown.GetSpecifiedName())
	case errors.As(err, &needs):
		return a.usage(help, "the flag --%s needs a value", needs.GetFlag().Name)
	case errors.As(err, &invalid):
		return a.usage(help, "the flag --%s cannot be %q", invalid.GetFlag().Name, invalid.GetValue())
	default:
		return errUsage.With(err)
	}
}

func (a *app) helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:                   "help [COMMAND]",
		Short:                 a.text.T("show help for a command"),
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			target, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return a.usage("parley", "there is no command %q", strings.Join(args, " "))
			}
			return target.Help()
		},
	}
}

// helpTemplate is cobra's layout in the person's language.
func (a *app) helpTemplate() string {
	t := a.text.T
	return `{{with (or .Long .Short)}}{{.}}

{{end}}` + t("Usage:") + `{{if .Runnable}}
  {{.UseLine}}{{if .HasAvailableLocalFlags}} ` + t("[FLAGS]") + `{{end}}{{end}}{{if .HasAvailableSubCommands}}
  {{.CommandPath}} ` + t("COMMAND") + `{{end}}{{if .HasExample}}

` + t("Examples:") + `
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}

` + t("Commands:") + `{{range .Commands}}{{if (or .IsAvailableCommand (eq .Name "help"))}}
  {{rpad .Name .NamePadding }} {{.Short}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

` + t("Flags:") + `
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableInheritedFlags}}

` + t("Common flags:") + `
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}

` + t("Every flag can also be set as PARLEY_<FLAG> in the environment and in DIR/config.json.") + `
`
}
