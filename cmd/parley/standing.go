package main

import (
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/cmd/parley/internal/show"
	"github.com/parley-chat/parley/node"
)

// standing is how a data directory stands in its certified network; the zero value
// is that of any other network. A node that runs on the directory has the same
// files before its eyes.
type standing struct {
	file   *node.NetworkFile // nil: no certified network
	ticket node.TicketInfo
	has    bool // a ticket
}

func standingOf(dir string) standing {
	f, err := node.LoadNetwork(dir)
	if err != nil || f.Mode != node.ModeCertified {
		return standing{}
	}
	t, has, err := node.LoadTicket(dir)
	return standing{file: f, ticket: t, has: has && err == nil}
}

// registrars are the network's, as far as they are known here.
func (s standing) registrars() (ids []string) {
	if s.file == nil {
		return nil
	}
	set, _ := s.file.Registrars()
	for _, p := range set {
		ids = append(ids, p.String())
	}
	return ids
}

// until is when the ticket ends, for programs; empty without one.
func (s standing) until() string {
	if !s.has {
		return ""
	}
	return show.Time(s.ticket.To)
}

// rows tell people of registrars and ticket.
func (a *app) standingRows(s standing) (rows [][2]string) {
	if s.file == nil {
		return nil
	}
	for _, id := range s.registrars() {
		rows = append(rows, [2]string{a.text.T("registrar"), id})
	}
	if len(rows) == 0 {
		rows = append(rows, [2]string{a.text.T("registrar"), a.noRegistrars(s.file)})
	}
	if s.has {
		rows = append(rows, [2]string{a.text.T("ticket"), a.text.T("until %s, signed by %s", minute(s.ticket.To), show.ShortID(s.ticket.Registrar.String()))})
	}
	return rows
}

// noRegistrars tells a network without registrars from one of which nothing is
// known yet.
func (a *app) noRegistrars(f *node.NetworkFile) string {
	if len(f.Record) == 0 {
		return a.text.T("not known here yet: registering, or the first peer, tells")
	}
	return a.text.T("the network has no registrars")
}

// lack says why others do not take this node for a member, or soon will not, and
// what to do; empty if all is well.
func (a *app) lack(s standing, now time.Time) string {
	if s.file == nil {
		return ""
	}
	t, again := a.text.T, a.shell(" register --registrar ADDR --code-file FILE")
	set, _ := s.file.Registrars()
	switch left := s.ticket.To.Sub(now); {
	case !s.has && s.file.SecretAdmits():
		return t("this node has no ticket; the network is going over to tickets, and its secret admits for a while yet at most. Have a registrar admit it: %s", again)
	case !s.has:
		return t("this node has no ticket, so nobody talks with it. Have a registrar admit it: %s", again)
	case len(set) > 0 && !slices.Contains(set, s.ticket.Registrar):
		return t("the registrar that signed this node's ticket is none any more, so the ticket does not count. Register with another: %s", again)
	case left <= 0:
		return t("this node's ticket ended %s; only who knew the node takes it still, for seven days. Register again: %s", minute(s.ticket.To), again)
	case now.After(s.ticket.Renew) && left < s.ticket.To.Sub(s.ticket.From)/4:
		return t("this node's ticket ends %s and was not renewed. See that a registrar runs and can be reached; if the certificate ends then, register with a new one: %s",
			minute(s.ticket.To), a.shell(" register --registrar ADDR --cert FILE --key FILE"))
	default:
		return ""
	}
}

// minute is a time as people see it in hints.
func minute(t time.Time) string { return t.Local().Format("2006-01-02 15:04") }

// isSelf reports whether p is the node of the data directory.
func (a *app) isSelf(p peer.ID) bool {
	id, err := node.LoadIdentity(a.dir)
	return err == nil && id.ID() == p
}
