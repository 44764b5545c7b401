package dht

import (
	"context"
	"errors"
	"io"
	"time"

	pb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-msgio/pbio"
)

// What is read of one answer; the rest is cut off.
const (
	answerTime   = 10 * time.Second
	maxCloser    = 20   // servers it names: a bucket
	maxProviders = 4096 // providers it names
	maxNamed     = 32   // addresses of one of them
)

var errAnswer = errors.New("answer malformed")

// sender asks servers, a stream a question. It takes the place of the library's
// own, which hands answers on as they are: an answer to PUT_VALUE without a
// record would end the process, and one may name nodes without bound. It has no
// state; any goroutine may use it.
type sender struct {
	host   host.Host
	protos []protocol.ID
}

func newSender(h host.Host, protos []protocol.ID) pb.MessageSenderWithDisconnect {
	return &sender{h, protos}
}

// OnDisconnect implements pb.MessageSenderWithDisconnect.
func (s *sender) OnDisconnect(context.Context, peer.ID) {}

// SendMessage tells without an answer. It waits, at most 10 s, for the end of
// the stream: who does not take what it is told resets it.
func (s *sender) SendMessage(ctx context.Context, p peer.ID, msg *pb.Message) error {
	err := s.with(ctx, p, func(stream network.Stream) error {
		err := pbio.NewDelimitedWriter(stream).WriteMsg(msg)
		if err == nil {
			err = stream.CloseWrite()
		}
		if err == nil {
			_, err = io.ReadFull(stream, make([]byte, 1))
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err == nil:
			return errAnswer
		}
		return err
	})
	tallyOf(ctx).note(err)
	return err
}

// SendRequest asks and waits, at most 10 s, for the answer.
func (s *sender) SendRequest(ctx context.Context, p peer.ID, req *pb.Message) (*pb.Message, error) {
	answer := new(pb.Message)
	err := s.with(ctx, p, func(stream network.Stream) error {
		if err := pbio.NewDelimitedWriter(stream).WriteMsg(req); err != nil {
			return err
		}
		return pbio.NewDelimitedReader(stream, network.MessageSizeMax).ReadMsg(answer)
	})
	if err == nil {
		answer, err = checkAnswer(req, answer)
	}
	if req.GetType() == pb.Message_PUT_VALUE {
		tallyOf(ctx).note(err)
	}
	return answer, err
}

// with opens a stream for f and ends it with ctx.
func (s *sender) with(ctx context.Context, p peer.ID, f func(network.Stream) error) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	stream, err := s.host.NewStream(network.WithDialPeerTimeout(ctx, dialTime), p, s.protos...)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = stream.Reset() })
	defer stop()
	if err := f(stream); err != nil {
		_ = stream.Reset()
		return err
	}
	return stream.Close()
}

// checkAnswer refuses an answer that cannot be one, and cuts off what is too much.
func checkAnswer(req, answer *pb.Message) (*pb.Message, error) {
	if answer.GetType() != req.GetType() {
		return nil, errAnswer
	}
	if req.GetType() == pb.Message_PUT_VALUE && answer.GetRecord() == nil {
		return nil, errAnswer
	}
	answer.CloserPeers = cut(answer.CloserPeers, maxCloser)
	answer.ProviderPeers = cut(answer.ProviderPeers, maxProviders)
	return answer, nil
}

func cut(peers []*pb.Message_Peer, limit int) []*pb.Message_Peer {
	peers = peers[:min(len(peers), limit)]
	for _, p := range peers {
		p.Addrs = p.Addrs[:min(len(p.Addrs), maxNamed)]
	}
	return peers
}
