package registrar

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/registrar/internal/directory"
)

const (
	maxWatchers     = 256                    // streams of WatchNodes at once,
	maxWatchersEach = 4                      // and of one member
	watchPause      = 100 * time.Millisecond // between two messages of one stream
	watchQuiet      = 5 * time.Second        // after which an empty one says that all is as it was
	perMessage      = 64                     // nodes
)

func (s *service) ListNodes(context.Context, *v1.ListNodesRequest) (*v1.ListNodesResponse, error) {
	res := &v1.ListNodesResponse{}
	for _, n := range s.directory.Nodes() {
		res.Nodes = append(res.Nodes, entryOf(n))
	}
	return res, nil
}

// WatchNodes tells until the caller, its membership or the registrar ends. Who does not
// read is cut off.
//
// spec: 11-registrars §6.5
func (s *service) WatchNodes(ctx context.Context, _ *v1.WatchNodesRequest, stream *connect.ServerStream[v1.WatchNodesResponse]) error {
	by := standingOf(ctx)
	leave, ok := s.watchers.Enter(by.peer)
	if !ok {
		return travel(busyError{errCrowd, time.Second})
	}
	defer leave()
	line := lineOf(ctx)
	line.leave()
	err := s.WatchDirectory(ctx, true, func(nodes []*v1.NodeEntry, whole bool) error {
		if !by.holds() {
			return errMembers
		}
		defer line.hold()()
		return stream.Send(&v1.WatchNodesResponse{Nodes: nodes, Whole: whole})
	})
	if s.ctx.Err() != nil {
		err = errUnable
	}
	return travel(err)
}

// WatchDirectory hands the directory to tell: all nodes, in portions, then, with follow,
// each change, until ctx ends or tell returns an error. whole says that nothing is left
// to tell; where nothing changes that is said each 5 s.
func (r *Registrar) WatchDirectory(ctx context.Context, follow bool, tell func(nodes []*v1.NodeEntry, whole bool) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.ctx, cancel)()
	w := r.directory.Watch()
	for {
		nodes, whole, err := nextWithin(ctx, w, watchQuiet)
		if err != nil {
			return err
		}
		if err := tellAll(nodes, whole, tell); err != nil || whole && !follow {
			return err
		}
		select {
		case <-time.After(watchPause): // so that much that changes at once is told together
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// nextWithin is the watcher's next news, or after d that there is none.
func nextWithin(ctx context.Context, w *directory.Watcher, d time.Duration) (nodes []directory.Node, whole bool, err error) {
	soon, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	nodes, whole, err = w.Next(soon)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil, true, nil
	}
	return nodes, whole, err
}

func tellAll(nodes []directory.Node, whole bool, tell func(nodes []*v1.NodeEntry, whole bool) error) error {
	for {
		n := min(len(nodes), perMessage)
		entries := make([]*v1.NodeEntry, n)
		for i := range entries {
			entries[i] = entryOf(nodes[i])
		}
		nodes = nodes[n:]
		if err := tell(entries, whole && len(nodes) == 0); err != nil || len(nodes) == 0 {
			return err
		}
	}
}

func entryOf(n directory.Node) *v1.NodeEntry {
	e := &v1.NodeEntry{
		PeerId: n.ID.String(), Zone: n.Zone, ShortAddress: hex.EncodeToString(n.Short[:]), Version: n.Version,
		Load: uint32(n.Load), State: v1.NodeState(n.State), LastSeen: timestamppb.New(n.LastSeen),
		Registrar: n.Registrar.String(), IsRegistrar: n.IsRegistrar,
	}
	for _, a := range n.Addrs {
		e.Addrs = append(e.Addrs, a.String())
	}
	return e
}

// line is the connection below a call, for one that lasts.
type line struct {
	rc    *http.ResponseController
	leave func() // gives up the place of a stranger's call; may be called again
}

type lineKey struct{}

func withLine(ctx context.Context, w http.ResponseWriter, leave func()) context.Context {
	return context.WithValue(ctx, lineKey{}, &line{http.NewResponseController(w), leave})
}

func lineOf(ctx context.Context) *line {
	l, _ := ctx.Value(lineKey{}).(*line)
	return l
}

// hold gives the caller so long to read what is written until release is called; from
// then on the call may last, though the server's own time for answers is over.
func (l *line) hold() (release func()) {
	_ = l.rc.SetWriteDeadline(time.Now().Add(requestTime)) // fails for no connection of ours
	return func() { _ = l.rc.SetWriteDeadline(time.Time{}) }
}
