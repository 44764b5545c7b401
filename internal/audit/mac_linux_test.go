package audit

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// neighbour is a netlink message as the kernel sends it.
func neighbour(state uint16, ip string, mac []byte) []byte {
	attr := func(b []byte, kind uint16, value []byte) []byte {
		b = binary.NativeEndian.AppendUint16(b, uint16(4+len(value)))
		b = binary.NativeEndian.AppendUint16(b, kind)
		b = append(b, value...)
		for len(b)%4 > 0 {
			b = append(b, 0)
		}
		return b
	}
	body := make([]byte, unix.SizeofNdMsg)
	binary.NativeEndian.PutUint16(body[8:], state)
	body = attr(body, unix.NDA_DST, netip.MustParseAddr(ip).AsSlice())
	body = attr(body, unix.NDA_LLADDR, mac)
	head := binary.NativeEndian.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+len(body)))
	head = binary.NativeEndian.AppendUint16(head, unix.RTM_NEWNEIGH)
	return append(append(head, make([]byte, unix.SizeofNlMsghdr-len(head))...), body...)
}

func TestNeighbours(t *testing.T) {
	var dump []byte
	for _, n := range [][]byte{
		neighbour(unix.NUD_REACHABLE, "192.0.2.7", []byte{2, 0, 0x5e, 0x10, 0, 1}),
		neighbour(unix.NUD_STALE, "2001:db8::7", []byte{2, 0, 0x5e, 0x10, 0, 2}),
		neighbour(unix.NUD_FAILED, "192.0.2.8", []byte{2, 0, 0x5e, 0x10, 0, 3}),
		neighbour(unix.NUD_NOARP, "192.0.2.9", []byte{2, 0, 0x5e, 0x10, 0, 3}),
		neighbour(unix.NUD_REACHABLE, "192.0.2.10", make([]byte, 6)),
		neighbour(unix.NUD_REACHABLE, "fe80::1", []byte{2, 0, 0x5e, 0x10, 0, 4}),
		neighbour(unix.NUD_REACHABLE, "fe80::1", []byte{2, 0, 0x5e, 0x10, 0, 5}),
	} {
		dump = append(dump, n...)
	}
	known := parseNeighbours(dump)
	for ip, want := range map[string]string{
		"192.0.2.7": "02:00:5e:10:00:01", "2001:db8::7": "02:00:5e:10:00:02",
		"192.0.2.8": "", "192.0.2.9": "", "192.0.2.10": "", "fe80::1": "",
	} {
		if got := known[netip.MustParseAddr(ip)]; got != want {
			t.Errorf("%s: %q, want %q", ip, got, want)
		}
	}
	for i := range dump { // cut anywhere
		parseNeighbours(dump[:i])
		parseNeighbour(dump[:i])
	}
}

// The kernel's own table is read without an error; what is in it depends on the
// machine. The same answer serves for a second, and loopback has none.
func TestTheKernelIsAskedOnceASecond(t *testing.T) {
	for ip, mac := range neighbours() {
		if !ip.IsValid() || !isMAC(mac) {
			t.Errorf("%v: %q", ip, mac)
		}
	}
	var n Neighbours
	ip := netip.MustParseAddr("192.0.2.7")
	if got := n.MAC(ip, at); got != "" {
		t.Errorf("an address of no link has %s", got)
	}
	n.known[ip] = "02:00:5e:10:00:01"
	n.known[netip.MustParseAddr("127.0.0.1")] = "02:00:5e:10:00:01"
	if got := n.MAC(netip.MustParseAddr("::ffff:192.0.2.7"), at.Add(time.Second-1)); got != "02:00:5e:10:00:01" {
		t.Errorf("within a second it is %q", got)
	}
	if got := n.MAC(netip.MustParseAddr("127.0.0.1"), at); got != "" {
		t.Errorf("loopback has %s", got)
	}
	if got := n.MAC(netip.Addr{}, at); got != "" {
		t.Errorf("no address has %s", got)
	}
	if got := n.MAC(ip, at.Add(time.Second)); got != "" {
		t.Errorf("a second later it is %q", got)
	}
}
