package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/api/client"
	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/cmd/parley/internal/show"
)

type statusRow struct {
	PeerID     string   `json:"peer_id"`
	Nick       string   `json:"nick"`
	Network    string   `json:"network"`
	NetworkID  string   `json:"network_id"`
	Mode       string   `json:"mode"`
	Dir        string   `json:"dir"`
	Addrs      []string `json:"addrs"`
	Peers      uint32   `json:"peers"`
	Rooms      uint32   `json:"rooms"`
	Started    string   `json:"started"`
	Cursor     uint64   `json:"cursor,string"`
	ClockAhead int64    `json:"clock_ahead_ms,string"`
	ClockWrong bool     `json:"clock_wrong"`
	KeySealed  bool     `json:"key_sealed"`
	Zone       string   `json:"zone"`
	Short      string   `json:"short_address"`

	Registrars  []string `json:"registrars,omitempty"` // in certified networks
	TicketUntil string   `json:"ticket_until,omitempty"`

	Discovery discoveryRow `json:"discovery"`
	version
}

type discoveryRow struct {
	Multicast      bool              `json:"multicast"`
	Interfaces     []string          `json:"interfaces"`
	MulticastError string            `json:"multicast_error"`
	Heard          uint64            `json:"heard,string"`
	OtherNetworks  []string          `json:"other_networks"`
	Known          uint32            `json:"known"`
	DialFailures   uint64            `json:"dial_failures,string"`
	DialError      string            `json:"dial_error"`
	Hello          map[string]string `json:"hello"`
	TableServers   uint32            `json:"table_servers"`
	TableServes    bool              `json:"table_serves"`
}

func (a *app) statusCommand() *cobra.Command {
	return a.command(&cobra.Command{
		Use:   "status",
		Short: a.text.T("describe the running node"),
		Args:  a.args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withNode(cmd, func(ctx context.Context, c *client.Client) error {
				st, err := c.Status(ctx, &v1.StatusRequest{})
				if err != nil {
					return err
				}
				if a.json {
					row, s := statusOf(st), standingOf(a.dir)
					row.Registrars, row.TicketUntil = s.registrars(), s.until()
					return show.JSON(a.out, row)
				}
				return a.printStatus(st)
			})
		},
	})
}

func statusOf(st *v1.StatusResponse) statusRow {
	return statusRow{
		PeerID: st.GetPeerId(), Nick: st.GetNick(),
		Network: st.GetNetwork(), NetworkID: st.GetNetworkId(), Mode: st.GetMode(),
		Dir: st.GetDir(), Addrs: orEmpty(st.GetAddrs()), Peers: st.GetPeers(), Rooms: st.GetRooms(),
		Started: show.Time(time.UnixMilli(st.GetStartedMs())), Cursor: st.GetCursor(),
		ClockAhead: st.GetClockAheadMs(), ClockWrong: st.GetClockWrong(), KeySealed: st.GetKeySealed(),
		Zone: st.GetZone(), Short: shortOf(st),
		Discovery: discoveryOf(st.GetDiscovery()),
		version: version{
			Release: st.GetVersion().GetRelease(), Wire: st.GetVersion().GetWire(), Schema: st.GetVersion().GetSchema(),
		},
	}
}

func shortOf(st *v1.StatusResponse) string {
	id, err := peer.Decode(st.GetPeerId())
	if err != nil {
		return ""
	}
	return shortAddress(st.GetZone(), id)
}

func discoveryOf(d *v1.Discovery) discoveryRow {
	row := discoveryRow{
		Multicast: d.GetMulticast(), Interfaces: orEmpty(d.GetInterfaces()), MulticastError: d.GetMulticastError(),
		Heard: d.GetHeard(), OtherNetworks: orEmpty(d.GetOtherNetworks()),
		Known: d.GetKnown(), DialFailures: d.GetDialFailures(), DialError: d.GetDialError(), Hello: map[string]string{},
		TableServers: d.GetTableServers(), TableServes: d.GetTableServes(),
	}
	for reason, n := range d.GetHello() {
		row.Hello[reason] = strconv.FormatUint(n, 10)
	}
	return row
}

func (a *app) printStatus(st *v1.StatusResponse) error {
	t := a.text.T
	lines := [][2]string{
		{t("you"), st.GetNick() + "  " + st.GetPeerId()},
		{t("network"), a.networkName(st.GetNetwork())},
		{t("kind"), a.modeName(st.GetMode())},
		{t("directory"), st.GetDir()},
		{t("peers"), strconv.Itoa(int(st.GetPeers()))},
		{t("rooms"), strconv.Itoa(int(st.GetRooms()))},
		{t("running since"), show.When(time.UnixMilli(st.GetStartedMs()), time.Now())},
		{t("version"), st.GetVersion().GetRelease()},
	}
	if st.GetZone() != "" {
		lines = append(lines, [2]string{t("zone"), st.GetZone() + "  " + shortOf(st)})
	}
	lines = append(lines, a.standingRows(standingOf(a.dir))...)
	for _, addr := range toOthers(st.GetAddrs()) {
		lines = append(lines, [2]string{t("give this to others"), "--peer " + quote(addr)})
	}
	for _, text := range a.search(st.GetDiscovery()) {
		lines = append(lines, [2]string{t("finding peers"), text})
	}
	for _, text := range a.warnings(st) {
		lines = append(lines, [2]string{t("note"), text})
	}
	return a.pairs(lines)
}

// pairs prints names and values in two columns.
func (a *app) pairs(lines [][2]string) error {
	wide := 0
	for _, l := range lines {
		wide = max(wide, show.Width(l[0]))
	}
	for _, l := range lines {
		pad := strings.Repeat(" ", wide-show.Width(l[0])+2)
		if _, err := fmt.Fprintln(a.out, l[0]+pad+show.Clean(l[1])); err != nil {
			return err
		}
	}
	return nil
}
