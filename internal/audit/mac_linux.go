package audit

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// neighbours asks the kernel for its table, of IPv4 and IPv6. It is empty if the
// kernel does not answer: who came is logged without it then.
func neighbours() map[netip.Addr]string {
	dump, err := syscall.NetlinkRIB(unix.RTM_GETNEIGH, unix.AF_UNSPEC)
	if err != nil {
		return map[netip.Addr]string{}
	}
	return parseNeighbours(dump)
}

// parseNeighbours reads what the kernel answers. An address that has several
// neighbours, on several links, has none here.
func parseNeighbours(dump []byte) map[netip.Addr]string {
	known := map[netip.Addr]string{}
	msgs, err := syscall.ParseNetlinkMessage(dump)
	if err != nil {
		return known
	}
	for i := range msgs {
		if msgs[i].Header.Type != unix.RTM_NEWNEIGH {
			continue
		}
		ip, mac := parseNeighbour(msgs[i].Data)
		if !ip.IsValid() || mac == "" {
			continue
		}
		if other, twice := known[ip]; twice && other != mac {
			mac = ""
		}
		known[ip] = mac
	}
	return known
}

// parseNeighbour reads one: struct ndmsg, then attributes of 2 bytes length, 2
// bytes type and a value, at multiples of 4. See rtnetlink(7).
func parseNeighbour(b []byte) (ip netip.Addr, mac string) {
	if len(b) < unix.SizeofNdMsg {
		return ip, ""
	}
	const unusable = unix.NUD_INCOMPLETE | unix.NUD_FAILED | unix.NUD_NOARP
	if binary.NativeEndian.Uint16(b[8:])&unusable != 0 { // ndm_state
		return ip, ""
	}
	for b = b[unix.SizeofNdMsg:]; len(b) >= 4; {
		size, kind := int(binary.NativeEndian.Uint16(b)), binary.NativeEndian.Uint16(b[2:])
		if size < 4 || size > len(b) {
			return netip.Addr{}, ""
		}
		switch kind {
		case unix.NDA_DST:
			ip, _ = netip.AddrFromSlice(b[4:size])
		case unix.NDA_LLADDR:
			mac = macText(b[4:size])
		}
		b = b[min((size+3)&^3, len(b)):]
	}
	return ip, mac
}

// macText is bytes in pairs of hex digits; nothing for those that say nothing.
func macText(b []byte) string {
	s := strings.ReplaceAll(fmt.Sprintf("% x", b), " ", ":")
	if !isMAC(s) || strings.Trim(s, "0:") == "" {
		return ""
	}
	return s
}
