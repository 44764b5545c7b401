package bench

import (
	"math/rand/v2"
	"net"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"

	"github.com/parley-chat/parley/internal/quicsocket"
)

// socketBuffer is what QUIC asks of a socket.
const socketBuffer = 7 << 20

// lossy drops datagrams as they are sent: no rights are needed for it.
type lossy struct {
	net.PacketConn
	rate float64
}

func (l *lossy) WriteTo(b []byte, to net.Addr) (int, error) {
	if rand.Float64() < l.rate {
		return len(b), nil
	}
	return l.PacketConn.WriteTo(b, to)
}

// withLoss makes QUIC, the only transport then, lose a share of its datagrams.
func withLoss(rate float64) libp2p.Option {
	listen := func(network string, a *net.UDPAddr) (net.PacketConn, error) {
		c, err := net.ListenUDP(network, a)
		if err != nil {
			return nil, err
		}
		_, _ = c.SetReadBuffer(socketBuffer), c.SetWriteBuffer(socketBuffer) // less is slower, not wrong
		return &lossy{c, rate}, nil
	}
	return quicsocket.Over(quicreuse.OverrideListenUDP(listen))
}
