package lan

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"flag"
	"fmt"
	"net"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	dns "golang.org/x/net/dns/dnsmessage"
)

const testTag = "00112233"

var update = flag.Bool("update", false, "write the vectors in testdata anew")

func addrs(texts ...string) []ma.Multiaddr {
	var out []ma.Multiaddr
	for _, t := range texts {
		out = append(out, ma.StringCast(t))
	}
	return out
}

func testNames() names {
	n := newNames(testTag)
	n.instance = "someinstance"
	return n
}

func testRecord() record {
	return record{
		id:    testPeer("a"),
		addrs: addrs("/ip4/10.1.2.3/tcp/7330", "/ip4/10.1.2.3/udp/7330/quic-v1", "/ip6/fd00::1/udp/7330/quic-v1"),
		ips:   []net.IP{net.IPv4(10, 1, 2, 3), net.ParseIP("fd00::1")},
		ttl:   recordTTL,
	}
}

// spec: 01-network M29
func TestAnnouncementComesBack(t *testing.T) {
	n, r := testNames(), testRecord()
	packet := n.answer(r)
	if !bytes.Contains(packet, n.needle) {
		t.Error("the announcement does not contain what listeners search for")
	}
	m, err := n.parse(packet)
	if err != nil {
		t.Fatal(err)
	}
	want := message{peers: []peer.AddrInfo{{ID: r.id, Addrs: r.addrs}}}
	if !reflect.DeepEqual(m, want) {
		t.Errorf("got %+v, want %+v", m, want)
	}
}

func TestGoodbyeTellsOfNobody(t *testing.T) {
	r := testRecord()
	r.ttl = 0
	m, err := testNames().parse(testNames().answer(r))
	if err != nil || len(m.peers) != 0 {
		t.Errorf("got %+v, %v", m, err)
	}
}

func TestQuestion(t *testing.T) {
	n := testNames()
	m, err := n.parse(n.question())
	if err != nil || !m.asks || m.peers != nil {
		t.Errorf("got %+v, %v", m, err)
	}
	if m, err := newNames("ffffffff").parse(n.question()); err != nil || m.asks {
		t.Errorf("a question for another network: %+v, %v", m, err)
	}
}

func TestKnownAnswers(t *testing.T) {
	n := testNames()
	ask := func(ttl uint32) message {
		b := dns.NewBuilder(nil, dns.Header{})
		name := dns.MustNewName(n.service)
		must(t, b.StartQuestions())
		must(t, b.Question(dns.Question{Name: name, Type: dns.TypePTR, Class: dns.ClassINET}))
		must(t, b.StartAnswers())
		must(t, b.PTRResource(dns.ResourceHeader{Name: name, Class: dns.ClassINET, TTL: ttl}, dns.PTRResource{PTR: dns.MustNewName(n.instanceName())}))
		packet, err := b.Finish()
		must(t, err)
		m, err := n.parse(packet)
		must(t, err)
		return m
	}
	if m := ask(recordTTL); len(m.known) != 1 || m.known[0] != n.instanceName() {
		t.Errorf("got %+v", m)
	}
	if m := ask(recordTTL/2 - 1); len(m.known) != 0 {
		t.Errorf("an answer about to expire counts as known: %+v", m)
	}
}

// An announcement of the largest kind fits an Ethernet frame.
func TestLargestAnnouncement(t *testing.T) {
	r := record{id: testPeer("a"), ttl: recordTTL}
	for i := range maxAddrs {
		ip := fmt.Sprintf("fd00:1111:2222:3333:4444:5555:6666:%04x", 0x7770+i)
		r.addrs = append(r.addrs, ma.StringCast("/ip6/"+ip+"/udp/65535/quic-v1"))
		r.ips = append(r.ips, net.ParseIP(ip))
	}
	n := newNames(testTag)
	n.instance = strings.Repeat("x", 32)
	if size := len(n.answer(r)); size == 0 || size > 1452 {
		t.Errorf("%d bytes", size)
	}
}

func txtPacket(t *testing.T, n names, texts ...[]string) []byte {
	t.Helper()
	b := dns.NewBuilder(nil, dns.Header{Response: true})
	must(t, b.StartAnswers())
	for i, txt := range texts {
		name := dns.MustNewName(fmt.Sprintf("i%d.%s", i, n.service))
		must(t, b.TXTResource(dns.ResourceHeader{Name: name, Class: dns.ClassINET, TTL: 60}, dns.TXTResource{TXT: txt}))
	}
	packet, err := b.Finish()
	must(t, err)
	return packet
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// spec: 01-network M31
func TestHostileTexts(t *testing.T) {
	n := testNames()
	a, b := testPeer("a").String(), testPeer("b").String()
	_, rsaPub, err := crypto.GenerateRSAKeyPair(2048, rand.Reader)
	must(t, err)
	rsa, err := peer.IDFromPublicKey(rsaPub)
	must(t, err)
	many := make([]string, 40)
	for i := range many {
		many[i] = fmt.Sprintf("dnsaddr=/ip4/10.0.0.%d/tcp/1/p2p/%s", i, a)
	}
	for name, c := range map[string]struct {
		txt   []string
		addrs int // of peer a
		bad   int
	}{
		"good":                   {[]string{"dnsaddr=/ip4/10.0.0.1/tcp/1/p2p/" + a}, 1, 0},
		"rubbish beside it":      {[]string{"", "x", "dnsaddr=", "dnsaddr=/ip4", "dnsaddr=/ip4/10.0.0.1/tcp/1/p2p/" + a}, 1, 0},
		"a second peer":          {[]string{"dnsaddr=/ip4/10.0.0.1/tcp/1/p2p/" + a, "dnsaddr=/ip4/10.0.0.2/tcp/1/p2p/" + b}, 1, 0},
		"too many addresses":     {many, maxAddrs, 0},
		"no peer ID":             {[]string{"dnsaddr=/ip4/10.0.0.1/tcp/1"}, 0, 1},
		"only a peer ID":         {[]string{"dnsaddr=/p2p/" + a}, 0, 1},
		"a key that is no key":   {[]string{"dnsaddr=/ip4/10.0.0.1/tcp/1/p2p/12D3KooW"}, 0, 1},
		"not Ed25519":            {[]string{"dnsaddr=/ip4/10.0.0.1/tcp/1/p2p/" + rsa.String()}, 0, 1},
		"control characters":     {[]string{"dnsaddr=/ip4/\x00\x1b[2J/tcp/1/p2p/" + a}, 0, 1},
		"beyond the 16th string": {append(make([]string, maxStrings), "dnsaddr=/ip4/10.0.0.1/tcp/1/p2p/"+a), 0, 1},
	} {
		m, err := n.parse(txtPacket(t, n, c.txt))
		if err != nil || m.bad != c.bad {
			t.Errorf("%s: %+v, %v", name, m, err)
			continue
		}
		if c.addrs == 0 && len(m.peers) != 0 || c.addrs > 0 && (len(m.peers) != 1 || m.peers[0].ID != testPeer("a") || len(m.peers[0].Addrs) != c.addrs) {
			t.Errorf("%s: peers %v", name, m.peers)
		}
	}
}

func TestPacketLimits(t *testing.T) {
	n := testNames()
	texts := make([][]string, maxRecords+1)
	for i := range texts {
		texts[i] = []string{"x"}
	}
	if m, err := n.parse(txtPacket(t, n, texts[:maxRecords]...)); err != nil || m.bad != maxRecords {
		t.Errorf("as many records as allowed: %+v, %v", m, err)
	}
	if _, err := n.parse(txtPacket(t, n, texts...)); err == nil {
		t.Error("one record too many is taken")
	}
	if _, err := n.parse(make([]byte, maxPacket+1)); err == nil {
		t.Error("an oversized packet is taken")
	}
	for cut := range n.answer(testRecord()) {
		if m, err := n.parse(n.answer(testRecord())[:cut]); err == nil && len(m.peers) > 0 {
			t.Errorf("a packet cut at %d is taken", cut)
		}
	}
}

func TestForeignTag(t *testing.T) {
	for packet, want := range map[string]string{
		string(newNames("deadbeef").question()): "deadbeef",
		"..._parley-":                           "",
		"..._parley-dead":                       "",
		"..._parley-deadbeez":                   "",
		"..._parley-DEADBEEF":                   "",
		"...":                                   "",
	} {
		if got := foreignTag([]byte(packet)); got != want {
			t.Errorf("%q: got %q", packet, got)
		}
	}
}

// The vector is what a stranger's implementation should be able to read.
//
// spec: 01-network M29
func TestVector(t *testing.T) {
	const file = "testdata/announcement.hex"
	packet := testNames().answer(testRecord())
	if *update {
		text := "# An announcement of peer " + testRecord().id.String() + "\n# in the network with tag " + testTag +
			", instance \"someinstance\", with the addresses\n"
		for _, a := range testRecord().addrs {
			text += "#   " + a.String() + "\n"
		}
		must(t, os.WriteFile(file, []byte(text+hex.EncodeToString(packet)+"\n"), 0o644))
	}
	data, err := os.ReadFile(file)
	must(t, err)
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	want, err := hex.DecodeString(lines[len(lines)-1])
	must(t, err)
	if !bytes.Equal(packet, want) {
		t.Errorf("the announcement changed:\n%x", packet)
	}
}

func FuzzParse(f *testing.F) {
	n := testNames()
	f.Add(n.answer(testRecord()))
	f.Add(n.question())
	f.Add([]byte{})
	link := iface{prefixes: usablePrefixes("10.1.2.9/24", "fd00::9/64")}
	f.Fuzz(func(t *testing.T, packet []byte) {
		foreignTag(packet)
		m, err := n.parse(packet)
		if err != nil && !reflect.DeepEqual(m, message{}) {
			t.Fatalf("a refused packet says %+v", m)
		}
		if len(m.peers) > maxRecords || len(m.known) > maxRecords {
			t.Fatalf("%d peers, %d known", len(m.peers), len(m.known))
		}
		for _, p := range m.peers {
			if p.ID == "" || len(p.Addrs) == 0 || len(p.Addrs) > maxAddrs {
				t.Fatalf("peer %+v", p)
			}
			for _, a := range p.Addrs {
				believed(a, link)
			}
		}
	})
}
