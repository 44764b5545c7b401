package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/cmd/parley/internal/bench"
)

// What a measurement may take of a machine, and of a person's time.
const (
	maxBenchNodes  = 500
	maxBenchSize   = 60_000
	maxBenchTime   = time.Hour
	maxBenchEvents = 10_000_000
	maxBenchRate   = 1_000_000
	maxBenchLoss   = 0.9
)

// sizeFlag is the length of texts.
func (a *app) sizeFlag(c *cobra.Command, size *int) {
	c.Flags().IntVar(size, "size", 256, a.text.T("bytes of a text, `B`"))
}

// durationFlag is for how long is sent.
func (a *app) durationFlag(c *cobra.Command, d *time.Duration) {
	c.Flags().DurationVar(d, "duration", 10*time.Second, a.text.T("how long is sent, `D`"))
}

// pathFlags are what connections are made of.
func (a *app) pathFlags(c *cobra.Command, transport *string, loss *float64) {
	a.transportFlag(c, transport)
	c.Flags().Float64Var(loss, "loss", 0, a.text.T("share of datagrams that is dropped, `P`, from 0 to 0.9; over quic only"))
}

func (a *app) transportFlag(c *cobra.Command, transport *string) {
	c.Flags().StringVar(transport, "transport", bench.TCP, a.text.T("what nodes connect over: `tcp or quic`"))
	complete(c, "transport", bench.TCP, bench.QUIC)
}

// profilesFlag is where profiles go.
func (a *app) profilesFlag(c *cobra.Command, dir *string) {
	c.Flags().StringVar(dir, "profiles", "", a.text.T("write a processor profile of each member to this `directory`"))
	_ = c.MarkFlagDirname("profiles") // fails only for a flag that is not there
}

// check is one thing that may be wrong with a flag.
type check struct {
	ok    bool
	flag  string
	value any
	why   string
}

// firstWrong returns the first that is wrong.
func (a *app) firstWrong(checks ...check) error {
	for _, c := range checks {
		if !c.ok {
			return a.badValue(c.flag, fmt.Sprint(c.value), c.why)
		}
	}
	return nil
}

// within checks a whole number.
func (a *app) within(flag string, v, least, most int) check {
	return check{least <= v && v <= most, flag, v, a.text.T("it is a whole number from %d to %d", least, most)}
}

// sizeCheck checks the length of texts: a shorter one does not hold what a
// receiver must know.
func (a *app) sizeCheck(size int) check { return a.within("--size", size, bench.MinSize, maxBenchSize) }

// durationCheck checks for how long is sent.
func (a *app) durationCheck(d time.Duration) check {
	return check{0 < d && d <= maxBenchTime, "--duration", d, a.text.T("it is a time such as 10s, at most %s", "1h")}
}

func (a *app) transportCheck(transport string) check {
	return check{transport == bench.TCP || transport == bench.QUIC, "--transport", transport, a.text.T("it is tcp or quic")}
}

// pathCheck checks what connections are made of.
func (a *app) pathCheck(transport string, loss float64) error {
	return a.firstWrong(
		a.transportCheck(transport),
		check{0 <= loss && loss <= maxBenchLoss, "--loss", loss, a.text.T("it is a share from 0 to %v", maxBenchLoss)},
		check{loss == 0 || transport == bench.QUIC, "--loss", loss, a.text.T("it needs --transport quic")},
	)
}
