package node

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/parley-chat/parley/internal/hello"
)

// How a running node follows the changes of its network's record and secrets.
const (
	// lookEvery is how often it looks whether a command has changed network.json.
	lookEvery = 5 * time.Second
	// askEvery is how often one of the admitted peers is asked for a newer
	// record. Most peers are asked once, when they are met, which may be long ago.
	askEvery = 10 * time.Minute
)

// keepNetwork follows what is told of the network by commands, by the clock and
// by peers, until the node closes. Only a network with a root changes.
func (n *Node) keepNetwork() {
	if !n.Network().Mode.hasRoot() {
		return
	}
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	ask := time.NewTicker(askEvery + rand.N(askEvery/10))
	defer ask.Stop()
	warned := false
	for {
		n.lookAtFile()
		n.lookAtTicket()
		n.endOverlap(&warned)
		select {
		case <-look.C:
		case <-ask.C:
			n.askAny()
			n.dismiss() // whose ticket has ended
		case <-n.ctx.Done():
			return
		}
	}
}

// lookAtFile takes network.json over if it is not the one that was seen last.
func (n *Node) lookAtFile() {
	info, err := os.Stat(filepath.Join(n.cfg.Dir, networkFile))
	if err != nil || sameFile(n.seen.Swap(&info), info) {
		return
	}
	if err := n.changeNetwork(func(f *NetworkFile) (*NetworkFile, error) { return f, nil }); err != nil {
		n.seen.Store(nil) // a command may be at it: once more
		n.log.Debug("network.json is not taken over", "err", err)
	}
}

// freshSecrets are the secrets to offer in a handshake, as the last command
// left them: who was just handed the new invite is not to be refused.
func (n *Node) freshSecrets() []hello.Secret {
	if n.Network().Mode.hasRoot() {
		n.lookAtFile()
	}
	return n.networkFile().helloSecrets()
}

// endOverlap ends an overlap that is over.
func (n *Node) endOverlap(warned *bool) {
	until, ok := OverlapEnd(n.cfg.Dir, n.networkFile())
	if !ok || n.Now().Before(until) {
		return
	}
	_, err := FinishRotation(n.cfg.Dir)
	if err == nil {
		n.log.Info("the overlap is over: old secrets are not accepted any more")
		n.lookAtFile()
	} else if !*warned {
		*warned = true
		n.log.Warn("old secrets are accepted for longer than was said", "err", err)
	}
}

func sameFile(before *os.FileInfo, now os.FileInfo) bool {
	return before != nil && os.SameFile(*before, now) && (*before).ModTime().Equal(now.ModTime()) && (*before).Size() == now.Size()
}

// changeNetwork lets change have the newest network file, that of a command if
// there is one, uses what it returns, and lets go of peers that have proven
// nothing that is accepted still. What change changes, it saves; if that fails
// it is used all the same.
func (n *Node) changeNetwork(change func(*NetworkFile) (*NetworkFile, error)) error {
	lock, err := lockNetwork(n.cfg.Dir)
	if err != nil {
		return err // a command is at it: peers and the file are asked again
	}
	defer lock.Close()
	stored, err := LoadNetwork(n.cfg.Dir)
	if err != nil {
		return err
	}
	n.netMu.Lock()
	before := n.net
	if stored.ID == n.net.ID && stored.sequence() > n.net.sequence() {
		n.log.Info("the network's secrets changed", "network", stored.Name, "epoch", stored.Epoch().Number)
		n.net = stored
	}
	f, err := change(n.net)
	if f != n.net {
		n.log.Info("the network's record is news", "network", f.Name)
		n.net = f
	}
	changed := n.net != before
	n.netMu.Unlock()
	if changed {
		n.tellNews()
	}
	n.dismiss()
	return err
}

// NetworkNews returns the channel that has a value after the network's record or
// secrets changed. It is for one reader, who looks at all of them again.
func (n *Node) NetworkNews() <-chan struct{} { return n.news }

func (n *Node) tellNews() {
	select {
	case n.news <- struct{}{}:
	default:
	}
}

// sequence returns that of the record, 0 without one.
func (f *NetworkFile) sequence() uint64 {
	r, err := verifyRecord(f.Record, f.ID)
	if err != nil {
		return 0
	}
	return r.Sequence
}

// askAny asks one admitted peer about the network.
func (n *Node) askAny() {
	if ids := n.gate.Peers(); len(ids) > 0 {
		p := ids[rand.N(len(ids))]
		n.wg.Go(func() { n.askAbout(p) })
	}
}
