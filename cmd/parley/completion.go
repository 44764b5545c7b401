package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/api/client"
	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/cmd/parley/internal/show"
)

// completionTime bounds what a press of the tab key may take.
const completionTime = 500 * time.Millisecond

func (a *app) completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: a.text.T("print a script that completes commands, flags, rooms and peers in a shell"),
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
		return a.complete(cmd, args, func(ctx context.Context, c *client.Client) []string { return namesOfRooms(ctx, c, fits) })
	}
}

// completeChats completes the first argument to joined rooms and to peers.
func (a *app) completeChats(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.complete(cmd, args, func(ctx context.Context, c *client.Client) []string {
		names := namesOfRooms(ctx, c, joinedRooms)
		for _, name := range peerNames(met(ctx, c)) {
			names = append(names, "@"+name)
		}
		return names
	})
}

func (a *app) complete(cmd *cobra.Command, args []string, names func(context.Context, *client.Client) []string) ([]cobra.Completion, cobra.ShellCompDirective) {
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
	return names(ctx, c), cobra.ShellCompDirectiveNoFileComp
}

func namesOfRooms(ctx context.Context, c *client.Client, fits func(*v1.Room) bool) []string {
	res, err := c.ListRooms(ctx, &v1.ListRoomsRequest{All: true})
	if err != nil {
		return nil
	}
	var names []string
	for _, r := range res.GetRooms() {
		if fits(r) {
			names = append(names, r.GetRoom())
		}
	}
	return names
}

// met are the connected peers and those with whom there is a direct chat, as
// far as the node tells.
func met(ctx context.Context, c *client.Client) []*v1.Peer {
	res, _ := c.ListPeers(ctx, &v1.ListPeersRequest{})
	peers := res.GetPeers()
	talks, _ := c.ListDirects(ctx, &v1.ListDirectsRequest{})
	for _, d := range talks.GetDirects() {
		known := slices.ContainsFunc(peers, func(p *v1.Peer) bool { return p.GetPeerId() == d.GetPeerId() })
		if !known {
			peers = append(peers, &v1.Peer{PeerId: d.GetPeerId(), Nick: d.GetNick()})
		}
	}
	return peers
}

// ending is as much of a peer ID as names the peer.
func ending(id string) string { return id[max(0, len(id)-8):] }

// peerNames names each peer by its nick, or by the end of its ID where the
// nick is another's too or is more than a word.
func peerNames(peers []*v1.Peer) []string {
	bearers := map[string]int{}
	for _, p := range peers {
		bearers[nickKey(p.GetNick())]++
	}
	var names []string
	for _, p := range peers {
		name := show.Clean(p.GetNick())
		if name == "" || strings.ContainsAny(name, " \t\"@") || bearers[nickKey(name)] > 1 {
			name = ending(p.GetPeerId())
		}
		names = append(names, name)
	}
	return names
}
