package registrar

import (
	"crypto/ed25519"
	"net/netip"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/registrar/internal/statement"
)

// FuzzRequest holds that what a stranger sends makes nothing panic, and that a
// nonce is taken only if it was drawn, alive and signed by the peer it is for.
func FuzzRequest(f *testing.F) {
	now := time.Now()
	n := newNonces(now)
	public, key, err := ed25519.GenerateKey(zeros{})
	if err != nil {
		f.Fatal(err)
	}
	id := wire.PeerID([32]byte(public))
	nonce := n.draw(now)
	network, registrar := [32]byte{1}, [32]byte{2}
	good := &v1.RegisterNodeRequest{
		PeerId: id.String(), Nonce: nonce, Zone: "ward 3",
		PeerSignature: ed25519.Sign(key, statement.Of(statement.Peer, network, registrar, [32]byte(public), nonce)),
		Credential:    &v1.RegisterNodeRequest_EnrolmentCode{EnrolmentCode: "x"},
	}
	b, err := proto.Marshal(good)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b, int64(0))
	f.Add(b, int64(nonceLife))
	f.Add(b, int64(-time.Hour))
	f.Add([]byte{}, int64(0))
	f.Fuzz(func(t *testing.T, b []byte, later int64) {
		req := new(v1.RegisterNodeRequest)
		if proto.Unmarshal(b, req) != nil {
			return
		}
		a, err := newApplicant(caller{addr: netip.Addr{}}, req)
		if err != nil {
			return
		}
		if wire.PeerID(a.key) != a.peer || len(a.zone) > 64 || req.GetCredential() == nil {
			t.Errorf("%+v", a)
		}
		then := now.Add(time.Duration(later))
		if n.check(req.GetNonce(), then) != nil {
			return
		}
		if string(req.GetNonce()) != string(nonce) || then.Sub(now) >= nonceLife {
			t.Errorf("a nonce that was not drawn, or not now: %x after %v", req.GetNonce(), time.Duration(later))
		}
	})
}
