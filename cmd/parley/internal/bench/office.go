package bench

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime/pprof"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node"
	"github.com/parley-chat/parley/registrar"
)

// Office is a process with a registrar, as its leader calls it by net/rpc.
type Office struct {
	ctx       context.Context
	usage     *usage
	node      *node.Node
	chat      *chat.Messenger
	registrar *registrar.Registrar
	profile   *os.File // of the processor, while it is written
}

// officeName is that of the service.
const officeName = "Office"

// Desk is where a registrar answers.
type Desk struct {
	Addr        string
	Fingerprint [32]byte
	Network     [32]byte
}

// Open makes a certified network in a directory, and a registrar of it that serves
// on loopback.
func (o *Office) Open(dir string, at *Desk) (err error) {
	if _, err := node.CreateNetwork(dir, "bench", node.ModeCertified); err != nil {
		return err
	}
	own, err := node.OpenMember(dir, nil)
	if err != nil {
		return err
	}
	f, err := node.AddRegistrar(dir, own.ID())
	if err != nil {
		return err
	}
	listen := []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/0")}
	if o.node, err = node.Start(o.ctx, node.Config{Dir: dir, NoMDNS: true, Listen: listen}); err != nil {
		return err
	}
	if o.chat, err = chat.Open(o.ctx, o.node, chat.Config{}); err != nil {
		return err
	}
	if o.registrar, err = registrar.Open(o.node, o.chat, registrar.Config{}); err != nil {
		return err
	}
	cert, err := registrar.Certificate(dir, "", "", time.Now())
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	*at = Desk{l.Addr().String(), registrar.Fingerprint(cert), f.ID}
	return o.registrar.Serve(l, cert)
}

// Codes makes enrolment codes.
func (o *Office) Codes(n int, texts *[]string) (err error) {
	*texts, err = o.registrar.NewCodes(o.ctx, n, time.Hour)
	return err
}

// Use tells what the process has used.
func (o *Office) Use(_ None, u *Use) (err error) {
	u.CPU, u.RSS, err = o.usage.read()
	return err
}

// Profile writes a processor profile to file until EndProfile.
func (o *Office) Profile(file string, _ *None) (err error) {
	if o.profile, err = os.Create(file); err != nil {
		return err
	}
	return pprof.StartCPUProfile(o.profile)
}

// EndProfile ends the profile.
func (o *Office) EndProfile(None, *None) error {
	pprof.StopCPUProfile()
	return o.profile.Close()
}

func (o *Office) close() error {
	var errs []error
	if o.registrar != nil {
		errs = append(errs, o.registrar.Close())
	}
	if o.chat != nil {
		errs = append(errs, o.chat.Close())
	}
	if o.node != nil {
		errs = append(errs, o.node.Close())
	}
	return errors.Join(errs...)
}
