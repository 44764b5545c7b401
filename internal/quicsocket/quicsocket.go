// Package quicsocket has a libp2p host run QUIC over sockets that are not the
// kernel's: those that lose datagrams, or of a simulated network.
//
//	libp2p.New(quicsocket.Over(quicreuse.OverrideListenUDP(listen)), …)
package quicsocket

import (
	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/quic-go/quic-go"
	"go.uber.org/fx"
)

// Over builds what manages QUIC's sockets with these options.
func Over(opts ...quicreuse.Option) libp2p.Option { return libp2p.QUICReuse(newConnManager, opts...) }

// newConnManager is libp2p's own, closed with the host: libp2p leaves that to
// whoever brings one.
func newConnManager(l fx.Lifecycle, reset quic.StatelessResetKey, token quic.TokenGeneratorKey, opts ...quicreuse.Option) (*quicreuse.ConnManager, error) {
	cm, err := quicreuse.NewConnManager(reset, token, opts...)
	if err != nil {
		return nil, err
	}
	l.Append(fx.StopHook(cm.Close))
	return cm, nil
}
