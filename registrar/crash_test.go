package registrar

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/internal/audit"
	"github.com/parley-chat/parley/node"
	"github.com/parley-chat/parley/registrar/client"
)

// victimDir tells the test binary to be a registrar until it is killed.
const victimDir = "PARLEY_TEST_REGISTRAR_DIR"

// crashCodes is how many codes a victim makes.
const crashCodes = 300

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		fmt.Fprintln(os.Stderr, victim(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// victim prints its address, its fingerprint and its codes, and serves.
func victim(dir string) error {
	n, err := node.Start(context.Background(), node.Config{Dir: dir, NoMDNS: true, Listen: []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/0")}})
	if err != nil {
		return err
	}
	m, err := chat.Open(context.Background(), n, chat.Config{})
	if err != nil {
		return err
	}
	r, err := Open(n, m, Config{})
	if err != nil {
		return err
	}
	codes, err := r.NewCodes(context.Background(), crashCodes, time.Hour)
	if err != nil {
		return err
	}
	var cert tls.Certificate
	if cert, err = Certificate(dir, "", "", time.Now()); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	f := Fingerprint(cert)
	fmt.Println(l.Addr(), hex.EncodeToString(f[:]), strings.Join(codes, " "))
	if err := r.Serve(l, cert); err != nil {
		return err
	}
	select {} // until it is killed
}

// kill -9 of a registrar while many register: each ticket that was given away has a
// record, its code is its peer's and nobody else's, and the log is whole.
func TestKilledUnderRegistrations(t *testing.T) {
	m := newMinistry(t)
	dir := t.TempDir()
	if _, err := node.CreateNetwork(dir, "Ministry", node.ModeCertified); err != nil {
		t.Fatal(err)
	}
	own, err := node.OpenMember(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	f, err := node.AddRegistrar(dir, own.ID())
	if err != nil {
		t.Fatal(err)
	}
	codes, admitted := registerUntilKilled(t, m, dir, f.ID, 40)
	rep, err := audit.Verify(t.Context(), dir+"/"+audit.DirName, audit.Options{Trusted: []peer.ID{own.ID()}})
	if err != nil {
		t.Fatal(err)
	}
	n := startNode(t, dir)
	again := &ministry{t: t}
	if again.Registrar, err = Open(n, openChat(t, n), Config{}); err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	var recorded []string
	for i := range rep.Records {
		if rec := again.recordAt(i); rec.Op == audit.OpRegister {
			recorded = append(recorded, rec.Actor)
		}
	}
	for i, a := range admitted {
		if !slices.Contains(recorded, a.Peer.String()) {
			t.Errorf("%s has a ticket and no record", a.Peer)
		}
		thief := m.newcomer()
		if err := again.codes.Redeem(codes[i], thief.Peer.String(), n.Now()); err == nil {
			t.Errorf("the code of %s is another's too", a.Peer)
		}
		if err := again.codes.Redeem(codes[i], a.Peer.String(), n.Now()); err != nil {
			t.Errorf("the code of %s is not its own: %v", a.Peer, err)
		}
	}
	if err := again.codes.Redeem(codes[len(codes)-1], m.newcomer().Peer.String(), n.Now()); err != nil {
		t.Errorf("a code that nobody showed is spent: %v", err)
	}
}

// registerUntilKilled kills a registrar when it has admitted n of many callers, and
// returns its codes and who was admitted with which.
func registerUntilKilled(t *testing.T, m *ministry, dir string, network [32]byte, n int) (codes []string, admitted map[int]client.Applicant) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victimDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, errOut := cmd.StdoutPipe()
	if err := errors.Join(errOut, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = cmd.Process.Kill(), cmd.Wait() }()
	line, err := bufio.NewReaderSize(out, 1<<16).ReadString('\n')
	fields := strings.Fields(line)
	if err != nil || len(fields) != crashCodes+2 {
		t.Fatalf("the registrar said %q, %v", line, err)
	}
	raw, err := hex.DecodeString(fields[1])
	if err != nil || len(raw) != 32 {
		t.Fatal(fields[1])
	}
	codes, fingerprint := fields[2:], [32]byte(raw)
	admitted = make(map[int]client.Applicant)
	var mu sync.Mutex
	var wg sync.WaitGroup
	turn := make(chan struct{}, 16)
	for i, code := range codes[:len(codes)-1] {
		a := m.newcomer()
		a.Network, a.Code = network, code
		turn <- struct{}{}
		wg.Go(func() {
			defer func() { <-turn }()
			c := client.OverTLS(fields[0], &fingerprint)
			defer c.Close()
			_, err := c.Register(t.Context(), a)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				return // it was killed
			}
			if admitted[i] = a; len(admitted) == n {
				_ = cmd.Process.Kill()
			}
		})
	}
	wg.Wait()
	if len(admitted) < n || len(admitted) > crashCodes/2 {
		t.Fatalf("%d were admitted: it was not killed at work", len(admitted))
	}
	return codes, admitted
}
