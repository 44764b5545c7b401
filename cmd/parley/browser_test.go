package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// A page in a browser, which has no TCP and no QUIC of its own, takes part over each transport that is there for it.
// Every node here listens on another one and knows none of the others, so what passes between it and the page came
// over that.
func TestBrowserTakesPartOverEveryTransport(t *testing.T) {
	requireBrowser(t)
	base := t.TempDir()
	page := startBrowser(t, "--nick", "jay")
	var nodes []*loopbackNode
	for _, listen := range []string{"tcp/0/ws", "udp/0/quic-v1/webtransport", "udp/0/webrtc-direct"} {
		transport := filepath.Base(listen)
		n := startListening(t, "/ip4/127.0.0.1/"+listen, filepath.Join(base, transport), "--name", transport, "--join", "lobby")
		nodes = append(nodes, n)
		page.do("dial", map[string]any{"addr": n.addr})
		if l := page.do("connections", map[string]any{"peer": n.id}); len(l.Addrs) != 1 || !strings.Contains(l.Addrs[0]+"/", "/"+transport+"/") {
			t.Errorf("the page is connected over %q, not %s", l.Addrs, transport)
		}
	}
	before := strings.TrimSpace(nodes[0].parley("send", "lobby", "before the page came"))

	page.do("join", map[string]any{"room": "lobby"})
	page.sees("what was said before", func(l told) bool { return l.Event == "message" && l.ID == before })
	said := page.do("send", map[string]any{"room": "lobby", "texts": texts("from a page", 3)}).IDs
	for _, n := range nodes {
		live := strings.TrimSpace(n.parley("send", "lobby", "from "+n.dir))
		page.sees("a message from "+n.dir, func(l told) bool { return l.Event == "message" && l.ID == live })
		n.has("lobby", said...)
		n.prints(`jay +\S+ +yes`, "members", "lobby")

		alone := page.do("direct", map[string]any{"author": authorHex(t, n.id), "texts": []string{"for you alone"}}).IDs
		page.sees("that it is delivered to "+n.dir, func(l told) bool { return l.Event == "delivered" && l.ID == alone[0] })
		n.has("@"+page.Peer, alone...)
	}
	page.end()
	for _, n := range nodes {
		n.prints(`jay +\S+ +no`, "members", "lobby")
	}
}
