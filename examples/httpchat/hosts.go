package main

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// site is how browsers name the server: by its URL, and by what they say in
// Host, which leaves the port of HTTP out.
type site struct {
	base  string // ends in a slash
	hosts []string
}

// siteOf names a server that listens on l: by its address, on loopback by
// localhost too, and by host, which may have the port of a proxy before it.
// Who listens on all addresses has no name of its own and must give one.
func siteOf(l net.Addr, host string) (site, error) {
	at, err := netip.ParseAddrPort(l.String())
	if err != nil {
		return site{}, err
	}
	addr, port := at.Addr().Unmap(), strconv.Itoa(int(at.Port()))
	if addr.IsUnspecified() && host == "" {
		return site{}, errors.New("-listen takes every address: name the server with -host, or listen on 127.0.0.1:" + port)
	}
	var s site
	if host != "" {
		s.add(strings.ToLower(host), port)
	}
	if !addr.IsUnspecified() {
		s.add(addr.String(), port)
	}
	if addr.IsLoopback() || addr.IsUnspecified() {
		for _, name := range []string{"127.0.0.1", "::1", "localhost"} { // no other site can take these
			s.add(name, port)
		}
	}
	s.base = "http://" + s.hosts[0] + "/"
	return s, nil
}

// add takes a name with the port and, where a proxy or HTTP's own port lets
// browsers leave it out, without.
func (s *site) add(name, port string) {
	if _, _, err := net.SplitHostPort(name); err == nil {
		s.hosts = append(s.hosts, name)
		return
	}
	with := net.JoinHostPort(strings.Trim(name, "[]"), port)
	without := strings.TrimSuffix(with, ":"+port)
	switch {
	case port == "80":
		s.hosts = append(s.hosts, without, with)
	case net.ParseIP(strings.Trim(name, "[]")) == nil && name != "localhost":
		s.hosts = append(s.hosts, with, without)
	default:
		s.hosts = append(s.hosts, with)
	}
}

// only lets requests through that name the server as its owner does: a page of
// another site that had its own name lead here (DNS rebinding) does not.
func (s site) only(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains(s.hosts, strings.ToLower(r.Host)) {
			http.Error(w, "not a name of this server: -host gives it one", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}
