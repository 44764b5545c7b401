package main

import (
	"slices"
	"strconv"
	"strings"
	"time"

	v1 "github.com/parley-chat/parley/api/parley/v1"
)

// search says how peers are looked for and what came of it, a line each.
func (a *app) search(d *v1.Discovery) []string {
	lines := []string{a.multicast(d)}
	if tags := d.GetOtherNetworks(); len(tags) > 0 {
		lines = append(lines, a.text.T("other Parley networks are on this LAN (%s): is the network the same on both machines?", strings.Join(tags, ", ")))
	}
	lines = append(lines, a.dials(d))
	if refused := a.refusals(d); refused != "" {
		lines = append(lines, a.text.T("handshakes that failed: %s", refused))
	}
	return append(lines, a.table(d))
}

func (a *app) table(d *v1.Discovery) string {
	known := strconv.Itoa(int(d.GetTableServers()))
	if d.GetTableServes() {
		return a.text.T("the table: %s other nodes that serve it are known, this node serves too", known)
	}
	return a.text.T("the table: %s nodes that serve it are known, this node only asks", known)
}

func (a *app) multicast(d *v1.Discovery) string {
	t := a.text.T
	switch {
	case !d.GetMulticast():
		return t("multicast on the LAN is switched off (--no-mdns)")
	case len(d.GetInterfaces()) == 0 && d.GetMulticastError() != "":
		return t("multicast on the LAN does not work: %s", d.GetMulticastError())
	case len(d.GetInterfaces()) == 0:
		return t("multicast on the LAN waits: no network interface is up")
	case d.GetHeard() == 0:
		return t("multicast on %s: nobody of this network was heard", strings.Join(d.GetInterfaces(), ", "))
	default:
		return t("multicast on %s: %s announcements of this network were heard",
			strings.Join(d.GetInterfaces(), ", "), strconv.FormatUint(d.GetHeard(), 10))
	}
}

func (a *app) dials(d *v1.Discovery) string {
	t, known := a.text.T, strconv.Itoa(int(d.GetKnown()))
	switch {
	case d.GetKnown() == 0:
		return t("no address of a peer is known; --peer MULTIADDR gives one")
	case d.GetDialError() != "":
		return t("addresses known of peers: %s; the last try failed: %s", known, shortDialError(d.GetDialError()))
	default:
		return t("addresses known of peers: %s", known)
	}
}

// shortDialError leaves of libp2p's account of a failed dial, "… * [address]
// what: why", the reason for each address, once.
func shortDialError(text string) string {
	_, tries, found := strings.Cut(text, "* [")
	if !found {
		return text
	}
	var reasons []string
	for _, try := range strings.Split(tries, "* [") {
		_, why, _ := strings.Cut(try, "] ")
		why = strings.TrimSpace(why[strings.LastIndex(why, ": ")+1:])
		if why != "" && !slices.Contains(reasons, why) {
			reasons = append(reasons, why)
		}
	}
	return strings.Join(reasons, ", ")
}

// refusals says why handshakes failed, with their numbers.
func (a *app) refusals(d *v1.Discovery) string {
	counts := map[string]uint64{}
	for reason, n := range d.GetHello() {
		if reason != "admitted" {
			counts[a.reason(reason)] += n
		}
	}
	var list []string
	for reason, n := range counts {
		if n > 0 {
			list = append(list, reason+" ("+strconv.FormatUint(n, 10)+")")
		}
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// reason puts into words what people can do something about; the rest keeps
// the name it is counted under.
func (a *app) reason(name string) string {
	t := a.text.T
	switch name {
	case "network", "unspoken":
		return t("the other side is in another network")
	case "proof", "epoch":
		return t("the other side has another secret")
	case "unregistered":
		return t("this node, or the other side, has no ticket")
	case "revoked":
		return t("the other side was taken out of the network")
	case "ticket":
		return t("a ticket that does not count")
	case "method":
		return t("the other side takes tickets, this one a secret, or the other way round")
	case "half_open":
		return t("the other side ended the handshake")
	case "version":
		return t("the other side has another version")
	default:
		return name
	}
}

// warnings are what a person should know about the node.
func (a *app) warnings(st *v1.StatusResponse) []string {
	var list []string
	if why := st.GetRevoked(); why != "" {
		list = append(list, a.text.T("this node was taken out of the network (%s): nobody talks with it any more. Ask who keeps the registrars; only a new directory can join again", why))
	}
	if lack := a.lack(standingOf(a.dir), time.Now()); lack != "" {
		list = append(list, lack)
	}
	if st.GetClockWrong() {
		list = append(list, a.clockWarning(st))
	}
	if !st.GetKeySealed() {
		list = append(list, a.text.T("the store is encrypted, but its key lies unsealed beside it in identity.key"))
	}
	return list
}

func (a *app) clockWarning(st *v1.StatusResponse) string {
	ahead := time.Duration(st.GetClockAheadMs()) * time.Millisecond
	if ahead < 0 {
		return a.text.T("this machine's clock is %s behind its peers': set it", (-ahead).Round(time.Second))
	}
	return a.text.T("this machine's clock is %s ahead of its peers': set it", ahead.Round(time.Second))
}
