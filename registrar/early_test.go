package registrar

import (
	"context"
	"crypto/tls"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"

	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/api/parley/v1/parleyv1connect"
	"github.com/parley-chat/parley/registrar/internal/guard"
	"github.com/parley-chat/parley/registrar/internal/places"
)

// Who is refused early is told the same as later, over each protocol, and when to come
// again. A heartbeat is not refused for what others failed at.
//
// spec: 11-registrars M10
func TestWhoIsLockedOutIsToldEarly(t *testing.T) {
	m := newMinistry(t)
	for range 25 {
		m.guard.Failed(time.Now(), guard.Attempt{Addr: mustAddr("127.0.0.1")})
	}
	for name, opts := range map[string][]connect.ClientOption{
		"gRPC": {connect.WithGRPC()}, "gRPC-Web": {connect.WithGRPCWeb()}, "Connect": nil,
	} {
		c := parleyv1connect.NewRegistrarServiceClient(m.https(tls.VersionTLS13), "https://"+m.addr, opts...)
		_, err := c.RegisterNode(t.Context(), &v1.RegisterNodeRequest{}) // whose content nobody looks at
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

// A refusal of the guard is held back for one to five seconds; where too many wait for
// one already, the next does not, and nobody waits for longer than the registrar or
// his own call.
func TestRefusalsAreHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		r := &Registrar{ctx: ctx, waiting: places.NewSites(2, 1)}
		here := caller{addr: mustAddr("192.0.2.1")}
		begin, held := time.Now(), time.Duration(0)
		go func() {
			r.linger(t.Context(), here)
			held = time.Since(begin)
		}()
		synctest.Wait()
		if r.linger(t.Context(), here) || time.Since(begin) > 0 {
			t.Error("one more of the address waits too")
		}
		time.Sleep(minLinger - 1)
		synctest.Wait()
		if held != 0 {
			t.Errorf("held for %v", held)
		}
		time.Sleep(maxLinger)
		if held < minLinger || held > maxLinger {
			t.Errorf("held for %v", held)
		}
		gone, leave := context.WithCancel(t.Context())
		leave()
		end()
		if begin = time.Now(); !r.linger(gone, here) || !r.linger(t.Context(), here) || time.Since(begin) > 0 {
			t.Error("it waits for who is gone, or after the end")
		}
	})
}
