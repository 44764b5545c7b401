package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/api"
	"github.com/parley-chat/parley/api/client"
	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/cmd/parley/internal/show"
	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/exportfile"
)

func (a *app) exportCommand() *cobra.Command {
	var file string
	c := a.command(&cobra.Command{
		Use:   "export ROOM",
		Short: a.text.T("print the whole history of a room, signed, for a backup or another node"),
		Long:  a.text.T("print every event of a room as JSON lines with its author's signature, in the order of the history. Whoever imports it can tell that nothing was changed. It is not encrypted."),
		Example: `  parley export lobby --out lobby.jsonl
  parley export lobby | gzip > lobby.jsonl.gz`,
		Args:              a.args(1, 1),
		ValidArgsFunction: a.completeRooms(joinedRooms),
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.HasPrefix(args[0], "@") {
				return a.said(errNoExport, a.text.T("direct chats cannot be exported, only rooms"),
					a.text.T("for a backup copy %s while no node runs on it; to read it elsewhere: %s",
						quote(a.dir), a.typed("history "+quote(args[0])+" --limit 0 --json")))
			}
			return a.inRoom(cmd, args[0], func(ctx context.Context, c *client.Client, room string) error {
				if file == "" {
					out := bufio.NewWriter(a.out)
					if _, err := a.export(ctx, c, room, out); err != nil {
						return err
					}
					return out.Flush()
				}
				return a.exportTo(ctx, c, room, file)
			})
		},
	})
	c.Flags().StringVar(&file, "out", "", a.text.T("write to `FILE`, readable by you alone, and print nothing"))
	return c
}

func (a *app) exportTo(ctx context.Context, c *client.Client, room, file string) error {
	var n uint64
	err := writeFile(file, func(w io.Writer) (err error) {
		n, err = a.export(ctx, c, room, w)
		return err
	})
	if err != nil {
		return err
	}
	return a.note("wrote %d events of %s to %s", n, show.Clean(room), file)
}

// export writes what the node answers, and returns the number of events.
func (a *app) export(ctx context.Context, c *client.Client, room string, out io.Writer) (n uint64, err error) {
	stream, err := c.Export(ctx, &v1.ExportRequest{Room: room})
	if err != nil {
		return 0, err
	}
	defer stream.Close()
	w, p := exportfile.NewWriter(out), a.progress()
	defer p.end()
	for stream.Receive() {
		if o := stream.Msg().GetOrigin(); o != nil {
			head, err := headOf(o)
			if err != nil {
				return n, err
			}
			if err := w.Head(head); err != nil {
				return n, err
			}
			continue
		}
		if err := w.Event(stream.Msg().GetPayload()); err != nil {
			return n, err
		}
		n++
		p.at(n)
	}
	if err := stream.Err(); err != nil {
		return n, err
	}
	return n, w.End()
}

func headOf(o *v1.Origin) (exportfile.Head, error) {
	network, err := hex.DecodeString(o.GetNetworkId())
	if err != nil || len(network) != 32 {
		return exportfile.Head{}, api.ErrOther
	}
	log, err := hex.DecodeString(o.GetLog())
	if err != nil || len(log) != 32 {
		return exportfile.Head{}, api.ErrOther
	}
	return exportfile.Head{
		Network: o.GetNetwork(), NetworkID: [32]byte(network), Room: o.GetRoom(), Log: event.LogID(log),
	}, nil
}

func originOf(h *exportfile.Head) *v1.Origin {
	return &v1.Origin{
		Network: h.Network, NetworkId: hex.EncodeToString(h.NetworkID[:]), Room: h.Room, Log: fmt.Sprint(h.Log),
	}
}
