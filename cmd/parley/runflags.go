package main

import (
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node"
)

// runFlags are the settings of a node that this process runs.
type runFlags struct {
	name, metrics               string
	zone                        zoneSetting
	join, listen, peers         []string
	noMDNS, mapPort, light      bool
	logLevel, logFormat         string
	network, secretFile, invite string
	keepDays, keepMB            uint32

	registrar *registrarFlags // nil: it is none
}

func (a *app) runFlags(c *cobra.Command) *runFlags {
	r := &runFlags{}
	f, t := c.Flags(), a.text.T
	f.StringVar(&r.name, "name", "", t("`NICK` to be known by (default: the one remembered, else the login name)"))
	f.StringArrayVar(&r.join, "join", nil, t("join the `ROOM`; it is remembered; may be repeated"))
	f.StringArrayVar(&r.listen, "listen", nil, t("listen on the `MULTIADDR`; may be repeated (default: UDP and TCP port 7330)"))
	f.StringArrayVar(&r.peers, "peer", nil, t("stay connected with the peer at the `MULTIADDR`; may be repeated"))
	f.BoolVar(&r.noMDNS, "no-mdns", false, t("do not look for peers on the LAN by multicast"))
	f.BoolVar(&r.mapPort, "map-port", false, t("ask the router to forward a port"))
	f.StringVar(&r.metrics, "metrics", "", t("serve Prometheus metrics on `ADDR`, such as :9330 (loopback unless a host is given)"))
	f.StringVar(&r.logLevel, "log-level", "info", t("least `LEVEL` to log: debug, info, warn, error"))
	f.StringVar(&r.logFormat, "log-format", "text", t("`FORMAT` of the log: text, json"))
	f.BoolVar(&r.light, "light", false, t("take little memory and disk"))
	f.Uint32Var(&r.keepDays, "keep-days", 0, t("delete from this node what is older than `N` days; 0 keeps all"))
	f.Uint32Var(&r.keepMB, "keep-mb", 0, t("delete from this node the oldest of a room beyond `N` megabytes; 0 keeps all"))
	a.zoneFlag(c, &r.zone)
	f.StringVar(&r.network, "network", "", t("`NAME` of the network (default: the one remembered, else lan)"))
	f.StringVar(&r.secretFile, "secret-file", "", t("`FILE` with 32 bytes as base64 or hex: a closed network of --network and it"))
	f.StringVar(&r.invite, "invite-file", "", t("`FILE` with the invite to join by, - for standard input"))
	complete(c, "log-level", "debug", "info", "warn", "error")
	complete(c, "log-format", "text", "json")
	for _, name := range []string{"secret-file", "invite-file"} {
		_ = c.MarkFlagFilename(name) // fails only for a flag that is not there
	}
	return r
}

func complete(c *cobra.Command, flag string, values ...cobra.Completion) {
	_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

// given names the flags that only a node one starts can heed.
func (r *runFlags) given(flags *pflag.FlagSet) []string {
	var names []string
	flags.Visit(func(f *pflag.Flag) {
		if f.Name != "dir" && f.Name != "json" && f.Name != "join" {
			names = append(names, "--"+f.Name)
		}
	})
	return names
}

// config turns the flags into a node's configuration.
func (r *runFlags) config(a *app) (node.Config, error) {
	cfg := node.Config{Dir: a.dir, NoMDNS: r.noMDNS, MapPort: r.mapPort, Light: r.light, Version: ourVersion().Release}
	cfg.Network.Name = r.network
	var err error
	if cfg.Zone, err = r.zone.in(a); err != nil {
		return cfg, err
	}
	for _, text := range r.listen {
		addr, err := ma.NewMultiaddr(text)
		if err != nil {
			return cfg, a.badValue("--listen", text, err.Error())
		}
		cfg.Listen = append(cfg.Listen, addr)
	}
	for _, text := range r.peers {
		info, err := a.parsePeer(text)
		if err != nil {
			return cfg, err
		}
		cfg.Peers = append(cfg.Peers, *info)
	}
	return cfg, r.readSecrets(a, &cfg.Network)
}

// retention turns the flags into what is kept.
func (r *runFlags) retention() chat.Retention {
	return chat.Retention{MaxAge: time.Duration(r.keepDays) * 24 * time.Hour, MaxBytes: int64(r.keepMB) << 20}
}

// parsePeer reads an address that ends in a peer ID.
func (a *app) parsePeer(text string) (*peer.AddrInfo, error) {
	addr, err := ma.NewMultiaddr(text)
	if err != nil {
		return nil, a.badValue("--peer", text, err.Error())
	}
	info, err := peer.AddrInfoFromP2pAddr(addr)
	if err != nil || len(info.Addrs) == 0 {
		return nil, a.badValue("--peer", text, a.text.T("it needs an address, then /p2p/ and the peer's ID"))
	}
	return info, nil
}

// readSecrets reads what must not stand in arguments.
func (r *runFlags) readSecrets(a *app, n *node.NetworkConfig) error {
	if r.secretFile != "" && r.invite != "" {
		return a.usage("parley run", "--secret-file and --invite-file exclude each other")
	}
	if r.secretFile != "" {
		if r.network == "" {
			return a.usage("parley run", "--secret-file needs --network NAME")
		}
		secret, err := node.ReadSecretFile(r.secretFile)
		if err != nil {
			return err
		}
		n.Secret = &secret
	}
	if r.invite != "" {
		text, err := a.readInvite(r.invite)
		if err != nil {
			return err
		}
		invite, err := node.ParseInvite(inviteIn(text))
		if err != nil {
			return err
		}
		n.Invite = &invite
	}
	return nil
}

func (a *app) readInvite(path string) (string, error) {
	const most = 64 << 10
	if path == "-" {
		return readAtMost(a.in, most)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", errFile.With(err)
	}
	defer f.Close()
	return readAtMost(f, most)
}

// inviteIn leaves out the QR code of what parley invite prints.
func inviteIn(text string) string {
	lines := slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool {
		return strings.ContainsAny(line, "█▀▄")
	})
	return strings.Join(lines, "\n")
}

// logger writes to standard error as the flags say.
func (r *runFlags) logger(a *app) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(r.logLevel)); err != nil {
		return nil, a.badValue("--log-level", r.logLevel, a.text.T("it is debug, info, warn or error"))
	}
	opts := &slog.HandlerOptions{Level: level}
	switch r.logFormat {
	case "text":
		return slog.New(slog.NewTextHandler(a.err, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(a.err, opts)), nil
	default:
		return nil, a.badValue("--log-format", r.logFormat, a.text.T("it is text or json"))
	}
}

// loginName is the default nick.
func loginName(getenv func(string) string) string {
	name := ""
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if name == "" {
		name = getenv("USER")
	}
	return name[strings.LastIndexByte(name, '\\')+1:] // Windows: DOMAIN\name
}

// metricsAddr adds the loopback to an address without a host.
func metricsAddr(addr string) string {
	if strings.HasPrefix(addr, ":") {
		return "127.0.0.1" + addr
	}
	if !strings.Contains(addr, ":") {
		return fmt.Sprintf("127.0.0.1:%s", addr)
	}
	return addr
}
