package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/proto"

	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/api/parley/v1/parleyv1connect"
)

const (
	// guesserConns is how many connections guesses share.
	guesserConns = 64
	// guessesAtOnce is how many a connection may have under way.
	guessesAtOnce = 16
	// lastAnswers is for how long answers are waited for at the end.
	lastAnswers = time.Second

	// As gRPC writes PERMISSION_DENIED and RESOURCE_EXHAUSTED.
	statusDenied, statusExhausted = "7", "8"
)

// Guesses says how wrong codes are to be tried.
type Guesses struct {
	At   Desk
	From string // address, not that of the callers
	Load
}

// Guess registers with wrong codes, and counts which are refused. It speaks HTTP/2 by
// itself: who floods a registrar does not spend on it what a client does.
func (c *Callers) Guess(g Guesses, out *Calls) error {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range guesserConns {
		wg.Go(func() {
			refused, failed, err := g.overOne(c.ctx)
			mu.Lock()
			defer mu.Unlock()
			out.Done, out.Failed = out.Done+refused+failed, out.Failed+failed
			if err != nil {
				out.Failed++
				out.Why = err.Error()
			}
		})
	}
	wg.Wait()
	out.Took = g.For
	return nil
}

// wrongGuess is the body of a call.
func wrongGuess(at Desk) ([]byte, error) {
	one, err := newCaller(at, "")
	if err != nil {
		return nil, err
	}
	msg, err := proto.Marshal(&v1.RegisterNodeRequest{
		PeerId: one.applicant.Peer.String(), Nonce: make([]byte, 56), PeerSignature: make([]byte, 64),
		Credential: &v1.RegisterNodeRequest_EnrolmentCode{EnrolmentCode: rand.Text()},
	})
	head := make([]byte, 5) // not compressed, and how long
	binary.BigEndian.PutUint32(head[1:], uint32(len(msg)))
	return append(head, msg...), err
}

// overOne sends a connection's share, each when it is due, in the name of a peer of its
// own, and counts the answers.
func (g *Guesses) overOne(ctx context.Context) (refused, failed int, err error) {
	guess, err := wrongGuess(g.At)
	if err != nil {
		return 0, 0, err
	}
	conn, err := g.dial(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close()
	s := newGuesser(conn, guess)
	ended := make(chan error, 1)
	go func() { ended <- s.read() }() // ends with the connection, at the latest when its time is over
	within, cancel := context.WithTimeout(ctx, g.For)
	defer cancel()
	begun := time.Now()
	for i := 0; err == nil && within.Err() == nil; i++ {
		due := begun.Add(time.Duration(float64(i*guesserConns) / g.Rate * float64(time.Second)))
		if !sleep(within, time.Until(due)) {
			break
		}
		select {
		case s.free <- struct{}{}:
			err = s.send(uint32(2*i + 1))
		case err = <-ended:
			return s.refused, s.failed, err
		case <-within.Done():
		}
	}
	_ = conn.SetReadDeadline(time.Now().Add(lastAnswers))
	if over := <-ended; !errors.Is(over, os.ErrDeadlineExceeded) {
		err = errors.Join(err, over)
	}
	return s.refused, s.failed, err
}

func (g *Guesses) dial(ctx context.Context) (net.Conn, error) {
	from := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(g.From)}}
	cfg := &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{"h2"}, InsecureSkipVerify: true} // the fingerprint is compared instead
	cfg.VerifyConnection = func(s tls.ConnectionState) error {
		if sha256.Sum256(s.PeerCertificates[0].Raw) != g.At.Fingerprint {
			return errors.New("another certificate")
		}
		return nil
	}
	return (&tls.Dialer{NetDialer: from, Config: cfg}).DialContext(ctx, "tcp", g.At.Addr)
}

// guesser is one connection of HTTP/2.
type guesser struct {
	framer *http2.Framer
	head   []byte // of each call, which the compression does not depend on
	guess  []byte
	free   chan struct{} // holds one for each call under way

	mu     sync.Mutex // over what is written
	out    *bufio.Writer
	window int64         // that may be sent
	wider  chan struct{} // has one when it grew

	refused, failed int // of who reads
}

func newGuesser(conn net.Conn, guess []byte) *guesser {
	out := bufio.NewWriter(conn)
	s := &guesser{
		framer: http2.NewFramer(out, bufio.NewReader(conn)), guess: guess, out: out,
		free: make(chan struct{}, guessesAtOnce), window: 65535, wider: make(chan struct{}, 1),
	}
	s.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	var head bytes.Buffer
	enc := hpack.NewEncoder(&head)
	enc.SetMaxDynamicTableSize(0)
	for _, f := range [][2]string{
		{":method", "POST"},
		{":scheme", "https"},
		{":authority", "registrar"},
		{":path", parleyv1connect.RegistrarServiceRegisterNodeProcedure},
		{"content-type", "application/grpc"},
		{"te", "trailers"},
	} {
		_ = enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}) // to memory
	}
	s.head = head.Bytes()
	_, _ = out.WriteString(http2.ClientPreface) // what fails here fails at the first guess
	_ = s.framer.WriteSettings()
	return s
}

// send writes a guess, when the registrar has room for it.
func (s *guesser) send(id uint32) error {
	for !s.take(int64(len(s.guess))) {
		select {
		case <-s.wider:
		case <-time.After(lastAnswers):
			return errors.New("the registrar takes no more guesses on a connection")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: s.head, EndHeaders: true})
	return errors.Join(err, s.framer.WriteData(id, true, s.guess), s.out.Flush())
}

func (s *guesser) take(n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.window < n {
		return false
	}
	s.window -= n
	return true
}

// read counts answers until the connection or its time is over.
func (s *guesser) read() error {
	for {
		f, err := s.framer.ReadFrame()
		if err != nil {
			return err
		}
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			s.answered(f)
		case *http2.RSTStreamFrame:
			if f.ErrCode != http2.ErrCodeNo {
				s.failed++
				<-s.free
			}
		case *http2.GoAwayFrame:
			return fmt.Errorf("the registrar ends a connection: %v", f.ErrCode)
		default:
			err = s.keep(f)
		}
		if err != nil {
			return err
		}
	}
}

func (s *guesser) answered(f *http2.MetaHeadersFrame) {
	if !f.StreamEnded() {
		return
	}
	<-s.free
	for _, h := range f.Fields {
		if h.Name == "grpc-status" && (h.Value == statusDenied || h.Value == statusExhausted) {
			s.refused++
			return
		}
	}
	s.failed++
}

// keep does what a connection lives by.
func (s *guesser) keep(f http2.Frame) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch f := f.(type) {
	case *http2.SettingsFrame:
		if !f.IsAck() {
			return errors.Join(s.framer.WriteSettingsAck(), s.out.Flush())
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			return errors.Join(s.framer.WritePing(true, f.Data), s.out.Flush())
		}
	case *http2.WindowUpdateFrame:
		if f.StreamID == 0 {
			s.window += int64(f.Increment)
			select {
			case s.wider <- struct{}{}:
			default:
			}
		}
	}
	return nil
}
