package client

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"

	"connectrpc.com/connect"
	"github.com/libp2p/go-libp2p/core/peer"

	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/internal/fault"
	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/node"
	"github.com/parley-chat/parley/registrar/internal/statement"
)

const (
	beginTime = 3 * time.Second  // until the first of the directory comes
	quietTime = 12 * time.Second // without a word, though each 5 s there is one
	giveUp    = 30 * time.Second // without any registrar that tells
)

// Tell is handed parts of a directory, each node as it is now. whole says that nothing is
// left to tell.
type Tell func(nodes []*v1.NodeEntry, whole bool) error

// Watch hands the registrar's directory to tell: all nodes, in portions, then each change,
// until ctx ends or tell returns an error, which is returned. by is who calls over TLS;
// over a stream it is nil. Errors: as Heartbeat.
func (c *Client) Watch(ctx context.Context, by *Applicant, tell Tell) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if by != nil {
		header, err := c.authorization(ctx, by)
		if err != nil {
			return err
		}
		var call connect.CallInfo
		ctx, call = connect.NewClientContext(ctx)
		call.RequestHeader().Set("Authorization", header)
	}
	silence := time.AfterFunc(beginTime, cancel)
	defer silence.Stop()
	stream, err := c.rpc.WatchNodes(ctx, &v1.WatchNodesRequest{})
	if err != nil {
		return failure(err)
	}
	defer stream.Close()
	for stream.Receive() {
		silence.Reset(quietTime)
		m := stream.Msg()
		if err := tell(slices.DeleteFunc(m.GetNodes(), unsound), m.GetWhole()); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ErrUnreachable.With(ctx.Err())
	}
	return failure(stream.Err())
}

// authorization proves to a registrar that a member calls, once.
func (c *Client) authorization(ctx context.Context, a *Applicant) (string, error) {
	ch, err := c.rpc.Challenge(ctx, &v1.ChallengeRequest{})
	if err != nil {
		return "", failure(err)
	}
	registrar, err := c.check(ch, a.Network)
	if err != nil {
		return "", err
	}
	own, err := wire.Author(a.Peer)
	if err != nil {
		return "", err
	}
	said := statement.Of(statement.Call, a.Network, registrar, own, ch.GetNonce())
	return statement.Authorization(a.Ticket, ch.GetNonce(), a.Sign(said)), nil
}

// unsound reports whether an entry is not to be shown: it is the registrar that has
// written it, and a terminal does as it is told.
func unsound(e *v1.NodeEntry) bool {
	if _, err := peer.Decode(e.GetPeerId()); err != nil {
		return true
	}
	texts := append([]string{e.GetZone(), e.GetShortAddress(), e.GetVersion(), e.GetRegistrar()}, e.GetAddrs()...)
	return len(texts) > 32 || e.GetLoad() > 100 || slices.ContainsFunc(texts, func(text string) bool {
		return len(text) > maxText || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
	})
}

// Directory is the directory of a node's network, as one of its registrars keeps it.
type Directory struct{ Node *node.Node }

// WatchDirectory hands it to tell, as [Client.Watch] does; without follow it returns
// nil when that is whole. When the registrar that tells dies the next one does, from the
// beginning. Errors: tell's, ErrNoRegistrars, ErrNoneAnswers, ctx's.
func (d Directory) WatchDirectory(ctx context.Context, follow bool, tell func(nodes []*v1.NodeEntry, whole bool) error) error {
	var told error // what tell returned
	once := errors.New("told whole")
	last := time.Now() // when one told something
	seen := false
	note := func(nodes []*v1.NodeEntry, whole bool) error {
		last, seen = time.Now(), true
		if told = tell(nodes, whole); told == nil && whole && !follow {
			told = once
		}
		return told
	}
	for {
		set := d.Node.Registrars()
		if len(set) == 0 {
			return ErrNoRegistrars
		}
		var err error
		for _, p := range nearest(d.Node, set) {
			err = d.ask(ctx, p, note)
			switch {
			case told == once:
				return nil
			case told != nil:
				return told
			case ctx.Err() != nil:
				return ctx.Err()
			}
			d.Node.Logger().Debug("a registrar does not tell of the directory", "peer", p, "err", err)
		}
		if !seen || time.Since(last) > giveUp {
			return noneAnswers(err)
		}
		select {
		case <-time.After(retryAfter):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// noneAnswers says what the last registrar said, if it did say something.
func noneAnswers(last error) error {
	if f, ok := fault.As(last); ok && !errors.Is(last, ErrUnreachable) {
		return ErrNoneAnswers.With(errors.New(f.What))
	}
	return ErrNoneAnswers
}

func (d Directory) ask(ctx context.Context, p peer.ID, tell Tell) error {
	c := OverStream(d.Node.PublicHost(), p, d.Node.Network().Tag)
	defer c.Close()
	return c.Watch(ctx, nil, tell)
}
