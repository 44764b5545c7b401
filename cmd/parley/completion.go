package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/api/client"
	v1 "github.com/parley-chat/parley/api/parley/v1"
)

// completionTime bounds what a press of the tab key may take.
const completionTime = 500 * time.Millisecond

func (a *app) completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: a.text.T("print a script that completes commands, flags and rooms in a shell"),
		Example: `  source <(parley completion bash)
  parley completion zsh > "${fpath[1]}/_parley"
  parley completion fish > ~/.config/fish/completions/parley.fish
  parley completion powershell | Out-String | Invoke-Expression`,
		DisableFlagsInUseLine: true,
		ValidArgs:             shells,
		Args:                  a.args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.out, true)
			case "zsh":
				return root.GenZshCompletion(a.out)
			case "fish":
				return root.GenFishCompletion(a.out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(a.out)
			default:
				return a.usage(cmd.CommandPath(), "there is no completion for %q", args[0])
			}
		},
	}
}

// Which rooms an argument may be completed to.
func joinedRooms(r *v1.Room) bool { return r.GetJoined() }
func othersRooms(r *v1.Room) bool { return !r.GetJoined() }

// completeRooms completes the first argument to rooms the running node knows.
// Without one it offers nothing.
func (a *app) completeRooms(fits func(*v1.Room) bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 || a.settleDir(cmd.Flags()) != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(context.Background(), completionTime)
		defer cancel()
		c, err := client.Dial(ctx, a.dir)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer c.Close()
		res, err := c.ListRooms(ctx, &v1.ListRoomsRequest{All: true})
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []cobra.Completion
		for _, r := range res.GetRooms() {
			if fits(r) {
				names = append(names, r.GetRoom())
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
