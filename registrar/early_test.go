package registrar

import (
	"crypto/tls"
	"errors"
	"testing"
	"time"

	"connectrpc.com/connect"

	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/api/parley/v1/parleyv1connect"
	"github.com/parley-chat/parley/registrar/internal/guard"
)

// Who is refused early is told the same as later, over each protocol, and when to come
// again. A heartbeat is not refused for what others failed at.
//
// spec: 11-registrars M10
func TestWhoIsLockedOutIsToldEarly(t *testing.T) {
	m := newMinistry(t)
	a := m.newcomer()
	a.Code = m.code()
	for range 25 {
		m.guard.Failed(time.Now(), guard.Attempt{Addr: mustAddr("127.0.0.1")})
	}
	for name, opts := range map[string][]connect.ClientOption{
		"gRPC": {connect.WithGRPC()}, "gRPC-Web": {connect.WithGRPCWeb()}, "Connect": nil,
	} {
		c := parleyv1connect.NewRegistrarServiceClient(m.https(tls.VersionTLS13), "https://"+m.addr, opts...)
		_, err := c.RegisterNode(t.Context(), m.application(a))
		ce := new(connect.Error)
		if !errors.As(err, &ce) || ce.Code() != connect.CodeResourceExhausted || ce.Meta().Get("Retry-After") == "" || len(ce.Details()) != 1 {
			t.Fatalf("%s: %v", name, err)
		}
		v, err := ce.Details()[0].Value()
		if f, ok := v.(*v1.Fault); err != nil || !ok || f.GetCode() != guard.ErrLocked.Code {
			t.Errorf("%s: %v, %v", name, v, err)
		}
		if _, err := c.Heartbeat(t.Context(), &v1.HeartbeatRequest{Heartbeat: []byte("x")}); connect.CodeOf(err) != connect.CodeInvalidArgument {
			t.Errorf("%s: a heartbeat: %v", name, err)
		}
	}
	if status, _ := m.post("/v1/challenge", "{}"); status != 429 {
		t.Errorf("REST: %d", status)
	}
}
