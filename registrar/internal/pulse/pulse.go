// Package pulse makes the heartbeats of a node that runs.
//
//	p := pulse.Of(n)
//	data := p.Next(interval)    // signed, each with a higher number than the last
//	data = p.Goodbye()
package pulse

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/parley-chat/parley/internal/disk"
	"github.com/parley-chat/parley/internal/heartbeat"
	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/node"
)

const (
	// runFile is DIR/heartbeats: the number of the last run, in decimal.
	runFile = "heartbeats"
	// perRun is how many numbers a run has: a heartbeat a second for half a year.
	perRun = 1 << 24
)

// Pulse numbers a node's heartbeats. Make one with [Of]. All goroutines may use it.
type Pulse struct {
	node   *node.Node
	author [32]byte

	mu   sync.Mutex
	seq  uint64
	load meter
}

// Of begins a run of the node: its heartbeats have higher numbers than those of runs
// before, also where the clock was set back or the directory comes from a backup, but
// not where both happened.
func Of(n *node.Node) *Pulse {
	author, err := wire.Author(n.ID())
	if err != nil {
		panic(err) // a node has an Ed25519 key
	}
	return &Pulse{node: n, author: author, seq: beginRun(n)}
}

// beginRun returns the number before the first of this run. Without a directory that
// can be written the clock alone has to do.
//
// spec: 11-registrars §6.2
func beginRun(n *node.Node) uint64 {
	path := filepath.Join(n.Dir(), runFile)
	run := uint64(max(n.Now().Unix(), 1))
	if text, err := os.ReadFile(path); err == nil {
		if last, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err == nil && last < math.MaxUint64/perRun-1 {
			run = max(run, last+1)
		}
	}
	if err := disk.Replace(path, strconv.AppendUint(nil, run, 10)); err != nil {
		n.Logger().Warn("the number of heartbeats is not kept", "err", err)
	}
	return run * perRun
}

// Next returns the next heartbeat; another follows after about interval.
func (p *Pulse) Next(interval time.Duration) []byte {
	return p.make(heartbeat.Heartbeat{Interval: interval})
}

// Goodbye returns the last.
func (p *Pulse) Goodbye() []byte {
	return p.make(heartbeat.Heartbeat{Interval: heartbeat.MinInterval, Goodbye: true})
}

func (p *Pulse) make(h heartbeat.Heartbeat) []byte {
	p.mu.Lock()
	p.seq++
	h.Seq, h.Load = p.seq, p.load.percent()
	p.mu.Unlock()
	h.Interval = min(max(h.Interval, heartbeat.MinInterval), heartbeat.MaxInterval)
	h.Author, h.Time = p.author, p.node.Now().UnixMilli()
	h.Zone, h.Version, h.Addrs = p.node.Zone(), p.node.Version(), p.node.DialAddrs()
	return h.Encode(p.node.Network().ID, p.node.Sign)
}
