package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/api/client"
	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/cmd/parley/internal/show"
)

// nodeRow is a node of the directory.
type nodeRow struct {
	PeerID    string   `json:"peer_id"`
	State     string   `json:"state"`
	Zone      string   `json:"zone"`
	Short     string   `json:"short_address"`
	Addrs     []string `json:"addrs"`
	Version   string   `json:"version"`
	Load      uint32   `json:"load"` // percent
	LastSeen  string   `json:"last_seen"`
	Registrar string   `json:"registrar"`
}

func rowOf(n *v1.NodeEntry) nodeRow {
	state := strings.ToLower(strings.TrimPrefix(n.GetState().String(), "NODE_STATE_"))
	return nodeRow{
		n.GetPeerId(), state, n.GetZone(), n.GetShortAddress(), orEmpty(n.GetAddrs()), n.GetVersion(), n.GetLoad(),
		show.Time(n.GetLastSeen().AsTime()), n.GetRegistrar(),
	}
}

func (a *app) nodesCommand() *cobra.Command {
	var watch bool
	c := a.command(&cobra.Command{
		Use:   "nodes",
		Short: a.text.T("list the nodes of the network, as its registrars know them"),
		Long:  a.text.T("list the nodes of the network, as its registrars know them by their heartbeats: online, suspect (silent for longer than it should be), offline or revoked. Who has been offline for a day is left out."),
		Example: `  parley nodes
  parley nodes --watch --json`,
		Args: a.args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withNode(cmd, func(ctx context.Context, c *client.Client) error { return a.nodes(ctx, c, watch) })
		},
	})
	c.Flags().BoolVar(&watch, "watch", false, a.text.T("then print each change, until interrupted"))
	return c
}

// nodes prints the directory as it is when it has come whole, then its changes. With
// watch to be interrupted is its normal end.
func (a *app) nodes(ctx context.Context, c *client.Client, watch bool) error {
	stream, err := c.WatchDirectory(ctx, &v1.WatchDirectoryRequest{Follow: watch})
	if err != nil {
		return err
	}
	defer stream.Close()
	d := directoryPrinter{app: a, known: make(map[string]nodeRow)}
	for stream.Receive() {
		if err := d.take(stream.Msg()); err != nil {
			return err
		}
	}
	if watch && ctx.Err() != nil {
		return nil
	}
	return stream.Err()
}

// directoryPrinter prints a directory, which another registrar may tell anew.
type directoryPrinter struct {
	*app
	known map[string]nodeRow
	shown bool // the table is printed, from now on changes are
}

func (d *directoryPrinter) take(m *v1.WatchDirectoryResponse) error {
	for _, n := range m.GetNodes() {
		row := rowOf(n)
		before, known := d.known[row.PeerID]
		d.known[row.PeerID] = row
		if !d.shown || known && before.same(row) {
			continue
		}
		if err := d.change(row, n.GetLastSeen().AsTime()); err != nil {
			return err
		}
	}
	if d.shown || !m.GetWhole() {
		return nil
	}
	d.shown = true
	return d.table()
}

// same reports whether nothing is news: that a node was seen again is none.
func (r nodeRow) same(now nodeRow) bool {
	return r.State == now.State && r.Zone == now.Zone && r.Short == now.Short && r.Version == now.Version &&
		r.Load == now.Load && r.Registrar == now.Registrar && slices.Equal(r.Addrs, now.Addrs)
}

func (d *directoryPrinter) table() error {
	var all []nodeRow
	for _, row := range d.known {
		all = append(all, row)
	}
	slices.SortFunc(all, func(x, y nodeRow) int {
		return cmp.Or(cmp.Compare(x.Zone, y.Zone), cmp.Compare(x.PeerID, y.PeerID))
	})
	var rows [][]string
	now := time.Now()
	for _, r := range all {
		if d.json {
			if err := show.JSON(d.out, r); err != nil {
				return err
			}
			continue
		}
		seen, _ := time.Parse(time.RFC3339, r.LastSeen)
		rows = append(rows, []string{
			show.ShortID(r.PeerID), d.text.T(r.State), r.Zone, r.Short, r.Version, strconv.Itoa(int(r.Load)) + " %",
			show.When(seen, now), show.ShortID(r.Registrar), inUse(r.Addrs),
		})
	}
	if t := d.text.T; !d.json {
		return show.Table(d.out, []string{
			t("NODE"), t("STATE"), t("ZONE"), t("SHORT ADDRESS"), t("VERSION"), t("LOAD"), t("SEEN"), t("REGISTRAR"), t("ADDRESS"),
		}, rows)
	}
	return nil
}

func (d *directoryPrinter) change(r nodeRow, seen time.Time) error {
	if d.json {
		return show.JSON(d.out, r)
	}
	line := fmt.Sprintf("%s  %s  %s", show.When(seen, time.Now()), show.ShortID(r.PeerID), d.text.T(r.State))
	for _, more := range []string{r.Zone, r.Version, strconv.Itoa(int(r.Load)) + " %", show.ShortID(r.Registrar)} {
		if more != "" {
			line += "  " + show.Clean(more)
		}
	}
	_, err := fmt.Fprintln(d.out, line)
	return err
}
