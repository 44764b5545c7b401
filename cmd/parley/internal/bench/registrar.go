package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// RegistrarOptions say what a registrar is asked for.
type RegistrarOptions struct {
	Clients  int
	Rate     float64 // registrations and heartbeats a second, of all together
	For      time.Duration
	Ramp     bool    // at rising rates besides, until it is saturated
	Guess    float64 // wrong codes a second, from another address; 0: none
	Profiles string
}

// guessFrom is where wrong codes come from; the others are at 127.0.0.1.
const guessFrom = "127.0.0.2"

// What a ramp is.
const (
	rampStep  = 5 * time.Second
	rampGrows = 1.5
	rampSteps = 16
	rampShare = 0.95 // of the rate that is answered at least, or it is saturated
)

// RegistrarResult is what came out.
type RegistrarResult struct {
	Workload string  `json:"workload"`
	Clients  int     `json:"clients"`
	Rate     float64 `json:"rate"`
	Answered
	RSS     float64    `json:"rss_mb"`        // of the registrar, the most
	KB      float64    `json:"kb_per_client"` // by which it grew until all were connected
	Cores   float64    `json:"cores"`         // of a processor, that it took while it was called
	SetUpMS float64    `json:"set_up_ms"`     // until all were connected and registered
	Curve   []Answered `json:"curve,omitempty"`
	Guesses *Guessed   `json:"guesses,omitempty"`
}

// Answered is how calls were answered.
type Answered struct {
	Asked         float64 `json:"asked_per_s"`
	PerSecond     float64 `json:"calls_per_s"`
	Calls         int     `json:"calls"`
	Registrations int     `json:"registrations"` // of them
	Errors        int     `json:"errors"`
	Mean          float64 `json:"mean_ms"`
	P50           float64 `json:"p50_ms"`
	P90           float64 `json:"p90_ms"`
	P99           float64 `json:"p99_ms"`
	Max           float64 `json:"max_ms"`
}

// Guessed is how others fared while somebody guessed.
type Guessed struct {
	Asked     float64  `json:"asked_per_s"`
	PerSecond float64  `json:"refused_per_s"`
	Failed    int      `json:"failed"` // neither refused nor admitted
	Beside    Answered `json:"beside"` // calls at the same rate as without
}

// Registrar measures a registrar with many clients, each with a connection of its own
// over TLS: they register with one-time codes, then send heartbeats, and every tenth
// call renews a ticket. The registrar is a process, the clients are another, who
// guesses is a third.
func Registrar(ctx context.Context, o RegistrarOptions, say Say) (*RegistrarResult, error) {
	dir, err := os.MkdirTemp("", "parley-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	b := &registrarBench{RegistrarOptions: o, say: say, dir: dir}
	defer b.close()
	return b.run(ctx)
}

type registrarBench struct {
	RegistrarOptions
	say                      Say
	dir                      string
	office, callers, guesser *hand
	at                       Desk
}

func (b *registrarBench) run(ctx context.Context) (*RegistrarResult, error) {
	if err := b.start(ctx); err != nil {
		return nil, err
	}
	r := &RegistrarResult{Workload: "registrar", Clients: b.Clients, Rate: b.Rate}
	if err := b.enter(ctx, r); err != nil {
		return nil, err
	}
	if err := b.measure(ctx, r); err != nil {
		return nil, err
	}
	if b.Guess > 0 {
		if err := b.guess(ctx, r); err != nil {
			return nil, err
		}
	}
	if b.Ramp {
		if err := b.ramp(ctx, r); err != nil {
			return nil, err
		}
	}
	u, err := b.use(ctx)
	r.RSS = u.RSS / 1e6
	return r, err
}

func (b *registrarBench) start(ctx context.Context) (err error) {
	b.say("starting a registrar, and %d clients", b.Clients)
	for _, h := range []**hand{&b.office, &b.callers, &b.guesser} {
		if *h, err = processHand(); err != nil {
			return err
		}
	}
	return b.office.callOf(ctx, officeName, "Open", b.dir, &b.at)
}

// enter connects and registers all.
func (b *registrarBench) enter(ctx context.Context, r *RegistrarResult) error {
	var codes []string
	if err := b.office.callOf(ctx, officeName, "Codes", b.Clients, &codes); err != nil {
		return err
	}
	before, err := b.use(ctx)
	if err != nil {
		return err
	}
	var calls Calls
	if err := b.callers.callOf(ctx, callersName, "Enter", Crowd{b.at, codes}, &calls); err != nil {
		return err
	}
	if calls.Failed > 0 {
		return fmt.Errorf("%d of %d clients could not register: %s", calls.Failed, b.Clients, calls.Why)
	}
	after, err := b.use(ctx)
	r.SetUpMS, r.KB = ms(calls.Took), (after.RSS-before.RSS)/1000/float64(b.Clients)
	return err
}

func (b *registrarBench) use(ctx context.Context) (u Use, err error) {
	err = b.office.callOf(ctx, officeName, "Use", None{}, &u)
	return u, err
}

// measure calls at the rate that is asked for.
func (b *registrarBench) measure(ctx context.Context, r *RegistrarResult) (err error) {
	b.say("all are registered; they call for %v", b.For)
	before, err := b.use(ctx)
	if err != nil {
		return err
	}
	begun := time.Now()
	err = b.profiled(ctx, "calls", func() (err error) {
		r.Answered, err = b.call(ctx, Load{b.Rate, b.For})
		return err
	})
	if err != nil {
		return err
	}
	after, err := b.use(ctx)
	r.Cores = (after.CPU - before.CPU).Seconds() / time.Since(begun).Seconds()
	return err
}

// profiled does something while the registrar's processor profile is written, if it is
// to be.
func (b *registrarBench) profiled(ctx context.Context, name string, do func() error) error {
	if b.Profiles == "" {
		return do()
	}
	if err := os.MkdirAll(b.Profiles, 0o700); err != nil {
		return err
	}
	if err := b.office.callOf(ctx, officeName, "Profile", filepath.Join(b.Profiles, name+".pprof"), &None{}); err != nil {
		return err
	}
	return errors.Join(do(), b.office.callOf(ctx, officeName, "EndProfile", None{}, &None{}))
}

func (b *registrarBench) call(ctx context.Context, l Load) (Answered, error) {
	var calls Calls
	if err := b.callers.callOf(ctx, callersName, "Call", l, &calls); err != nil {
		return Answered{}, err
	}
	if calls.Failed > 0 {
		b.say("%d of %d calls failed, the last one: %s", calls.Failed, calls.Done, calls.Why)
	}
	return calls.answered(l.Rate)
}

func (c *Calls) answered(rate float64) (a Answered, err error) {
	h, err := hdrhistogram.Decode(c.Latencies)
	if err != nil {
		return a, err
	}
	at := func(q float64) float64 { return ms(time.Duration(h.ValueAtQuantile(q))) }
	return Answered{
		Asked: rate, PerSecond: float64(c.Done-c.Failed) / c.Took.Seconds(),
		Calls: c.Done, Registrations: c.Registrations, Errors: c.Failed,
		Mean: c.Mean, P50: at(50), P90: at(90), P99: at(99), Max: ms(time.Duration(h.Max())),
	}, nil
}

// guess has wrong codes tried while the others call as before.
func (b *registrarBench) guess(ctx context.Context, r *RegistrarResult) error {
	b.say("somebody guesses from %s for %v, %.0f codes a second", guessFrom, b.For, b.Guess)
	var guesses Calls
	var failed error
	var wg sync.WaitGroup
	wg.Go(func() {
		failed = b.guesser.callOf(ctx, callersName, "Guess", Guesses{b.at, guessFrom, Load{b.Guess, b.For}}, &guesses)
	})
	var beside Answered
	err := b.profiled(ctx, "guesses", func() (err error) {
		beside, err = b.call(ctx, Load{b.Rate, b.For})
		return err
	})
	wg.Wait()
	if failed != nil {
		return failed
	}
	r.Guesses = &Guessed{
		Asked: b.Guess, PerSecond: float64(guesses.Done-guesses.Failed) / guesses.Took.Seconds(), Failed: guesses.Failed, Beside: beside,
	}
	if guesses.Failed > 0 {
		b.say("%d of %d guesses failed, the last one: %s", guesses.Failed, guesses.Done, guesses.Why)
	}
	return err
}

// ramp calls at rising rates until they are not all answered in time.
func (b *registrarBench) ramp(ctx context.Context, r *RegistrarResult) error {
	for rate, i := b.Rate/4, 0; i < rampSteps; rate, i = rate*rampGrows, i+1 {
		b.say("%.0f calls a second for %v", rate, rampStep)
		point, err := b.call(ctx, Load{rate, rampStep})
		if err != nil {
			return err
		}
		r.Curve = append(r.Curve, point)
		if point.PerSecond < rampShare*rate {
			return nil
		}
	}
	return nil
}

func (b *registrarBench) close() {
	var wg sync.WaitGroup
	for _, h := range []*hand{b.office, b.callers, b.guesser} {
		if h != nil {
			wg.Go(func() {
				h.kill()
				_ = h.close() // says that it was killed
			})
		}
	}
	wg.Wait()
}
