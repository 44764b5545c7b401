package lan

import (
	"encoding/binary"
	"errors"
	"net"
	"strconv"
	"strings"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	dns "golang.org/x/net/dns/dnsmessage"
)

// Limits of what is parsed, from the specification.
//
// spec: 01-network §7.4
const (
	maxPacket  = 9000 // bytes, RFC 6762 §17
	maxRecords = 64   // of one packet
	maxStrings = 16   // of one TXT record
)

const (
	servicePrefix = "_parley-"
	serviceSuffix = "._udp.local."
	txtPrefix     = "dnsaddr=" // as in libp2p's mDNS
	recordTTL     = 120        // seconds
	cacheFlush    = 1 << 15    // RFC 6762 §10.2
)

// names are the DNS names of a network's service and of one instance of it.
type names struct {
	service  string // _parley-<tag>._udp.local.
	instance string // one label
	needle   []byte // the service's first label on the wire
}

func newNames(tag string) names {
	label := servicePrefix + tag
	return names{
		service: label + serviceSuffix,
		needle:  append([]byte{byte(len(label))}, label...),
	}
}

func (n names) instanceName() string { return n.instance + "." + n.service }

// record is what is told about a node on one link.
type record struct {
	id    peer.ID
	addrs []ma.Multiaddr
	ips   []net.IP
	ttl   uint32 // seconds; 0 is a goodbye
}

// question returns a query for the service's instances.
func (n names) question() []byte {
	b := dns.NewBuilder(nil, dns.Header{})
	err := errors.Join(
		b.StartQuestions(),
		b.Question(dns.Question{Name: dns.MustNewName(n.service), Type: dns.TypePTR, Class: dns.ClassINET}),
	)
	return finish(&b, err)
}

// answer returns an announcement: PTR, SRV, TXT and the addresses, all of them
// answers, so that a listener needs nothing else. The A and AAAA records are
// there for libp2p's own mDNS, which ignores an instance without them.
func (n names) answer(r record) []byte {
	service, instance := dns.MustNewName(n.service), dns.MustNewName(n.instanceName())
	host := dns.MustNewName(n.instance + ".local.")
	shared := dns.ResourceHeader{Name: service, Class: dns.ClassINET, TTL: r.ttl}
	own := dns.ResourceHeader{Name: instance, Class: dns.ClassINET | cacheFlush, TTL: r.ttl}
	b := dns.NewBuilder(nil, dns.Header{Response: true, Authoritative: true})
	b.EnableCompression()
	err := errors.Join(
		b.StartAnswers(),
		b.PTRResource(shared, dns.PTRResource{PTR: instance}),
		b.SRVResource(own, dns.SRVResource{Port: port(r.addrs), Target: host}),
		b.TXTResource(own, dns.TXTResource{TXT: texts(r.id, r.addrs)}),
	)
	at := dns.ResourceHeader{Name: host, Class: dns.ClassINET | cacheFlush, TTL: r.ttl}
	for _, ip := range r.ips {
		if v4 := ip.To4(); v4 != nil {
			err = errors.Join(err, b.AResource(at, dns.AResource{A: [4]byte(v4)}))
		} else {
			err = errors.Join(err, b.AAAAResource(at, dns.AAAAResource{AAAA: [16]byte(ip.To16())}))
		}
	}
	return finish(&b, err)
}

func texts(id peer.ID, addrs []ma.Multiaddr) []string {
	var out []string
	for _, a := range addrs {
		if s := txtPrefix + a.String() + "/p2p/" + id.String(); len(s) <= 255 {
			out = append(out, s)
		}
	}
	return out
}

// port is for listeners that insist on one; Parley reads the TXT record.
func port(addrs []ma.Multiaddr) uint16 {
	for _, a := range addrs {
		for _, c := range a {
			if c.Protocol().Code == ma.P_TCP || c.Protocol().Code == ma.P_UDP {
				return binary.BigEndian.Uint16(c.RawValue())
			}
		}
	}
	return 0
}

// finish returns the packet. An error means a name or text that no node of
// ours makes, and nothing is sent.
func finish(b *dns.Builder, err error) []byte {
	packet, ferr := b.Finish()
	if err != nil || ferr != nil {
		return nil
	}
	return packet
}

// message is what a packet says about a network's service.
type message struct {
	asks  bool            // for the service's instances
	known []string        // instances that the asker knows already
	peers []peer.AddrInfo // announced, at most one a TXT record; not yet believed
	bad   int             // TXT records of the service that cannot be used
}

// errPacket means a packet that is not well-formed DNS within the limits.
var errPacket = errors.New("malformed packet")

// parse reads a packet. Records of other services are skipped.
func (n names) parse(packet []byte) (message, error) {
	var m message
	if len(packet) > maxPacket {
		return m, errPacket
	}
	var p dns.Parser
	head, err := p.Start(packet)
	if err != nil || head.OpCode != 0 {
		return m, errPacket
	}
	if err := n.parseQuestions(&p, head.Response, &m); err != nil {
		return message{}, err
	}
	left := maxRecords
	sections := []section{{p.AnswerHeader, p.SkipAnswer}, {p.AuthorityHeader, p.SkipAuthority}, {p.AdditionalHeader, p.SkipAdditional}}
	for _, s := range sections {
		if err := n.parseSection(&p, s, head.Response, &left, &m); err != nil {
			return message{}, err
		}
	}
	return m, nil
}

type section struct {
	header func() (dns.ResourceHeader, error)
	skip   func() error
}

func (n names) parseQuestions(p *dns.Parser, response bool, m *message) error {
	for range maxRecords {
		q, err := p.Question()
		if errors.Is(err, dns.ErrSectionDone) {
			return nil
		}
		if err != nil {
			return errPacket
		}
		if !response && (q.Type == dns.TypePTR || q.Type == dns.TypeALL) && strings.EqualFold(q.Name.String(), n.service) {
			m.asks = true
		}
	}
	return errPacket
}

func (n names) parseSection(p *dns.Parser, s section, response bool, left *int, m *message) error {
	for {
		h, err := s.header()
		if errors.Is(err, dns.ErrSectionDone) {
			return nil
		}
		if *left--; err != nil || *left < 0 {
			return errPacket
		}
		switch {
		case response && h.Type == dns.TypeTXT && h.TTL > 0 && n.isInstance(h.Name.String()):
			txt, err := p.TXTResource()
			if err != nil {
				return errPacket
			}
			m.takeText(txt.TXT)
		case !response && h.Type == dns.TypePTR && h.TTL >= recordTTL/2 && strings.EqualFold(h.Name.String(), n.service):
			ptr, err := p.PTRResource()
			if err != nil {
				return errPacket
			}
			m.known = append(m.known, ptr.PTR.String())
		default:
			if err := s.skip(); err != nil {
				return errPacket
			}
		}
	}
}

func (n names) isInstance(name string) bool {
	cut := len(name) - len(n.service) - 1
	return cut > 0 && name[cut] == '.' && strings.EqualFold(name[cut+1:], n.service)
}

// takeText reads one TXT record: the addresses of one peer, each ending with
// the same peer ID. Strings that are something else are skipped, as libp2p
// does; a record that yields nothing is bad.
func (m *message) takeText(texts []string) {
	var info peer.AddrInfo
	for _, t := range texts[:min(len(texts), maxStrings)] {
		addr, id, ok := parseText(t)
		if !ok || info.ID != "" && id != info.ID || len(info.Addrs) == maxAddrs {
			continue
		}
		info.ID = id
		info.Addrs = append(info.Addrs, addr)
	}
	if info.ID == "" {
		m.bad++
		return
	}
	m.peers = append(m.peers, info)
}

func parseText(t string) (addr ma.Multiaddr, id peer.ID, ok bool) {
	text, found := strings.CutPrefix(t, txtPrefix)
	if !found {
		return nil, "", false
	}
	a, err := ma.NewMultiaddr(text)
	if err != nil {
		return nil, "", false
	}
	addr, id = peer.SplitAddr(a)
	if len(addr) == 0 || id == "" {
		return nil, "", false
	}
	// An author is an Ed25519 key: a peer of another kind cannot be a member.
	key, err := id.ExtractPublicKey()
	return addr, id, err == nil && key.Type() == crypto.Ed25519
}

// foreignTag returns the tag of another network's service that a packet
// names; "" if there is none.
func foreignTag(packet []byte) string {
	_, rest, found := strings.Cut(string(packet), servicePrefix)
	if !found || len(rest) < 8 {
		return ""
	}
	if _, err := strconv.ParseUint(rest[:8], 16, 32); err != nil || strings.ToLower(rest[:8]) != rest[:8] {
		return ""
	}
	return rest[:8]
}
