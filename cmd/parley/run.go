package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/cmd/parley/internal/show"
)

// closeTime is what closing may take: with the rest, on a busy machine too, it
// stays below the three seconds in which a signal ends the program.
const closeTime = 2 * time.Second

// ready is what run prints, after the word, once everything answers.
type ready struct {
	PeerID    string   `json:"peer_id"`
	Addrs     []string `json:"addrs"`
	Network   string   `json:"network"`
	NetworkID string   `json:"network_id"`
	Dir       string   `json:"dir"`

	Registrar *readyRegistrar `json:"registrar,omitempty"`
}

// readyRegistrar is where a registrar answers, and SHA-256 of its certificate.
type readyRegistrar struct {
	API         string `json:"api"`
	Fingerprint string `json:"fingerprint"`
}

func (a *app) runCommand() *cobra.Command {
	var flags *runFlags
	c := a.command(&cobra.Command{
		Use:   "run",
		Short: a.text.T("run a node until it is interrupted"),
		Long:  a.text.T("run a node until it is interrupted. When it listens and answers other commands it prints one line, the word ready and a JSON object; the log goes to standard error."),
		Example: `  parley run --name ada --join lobby
  parley run --dir ~/ward-7 --invite-file invite.txt
  parley run --no-mdns --peer /ip4/192.0.2.7/tcp/7330/p2p/12D3KooW…`,
		Args: a.args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := flags.logger(a)
			if err != nil {
				return err
			}
			return a.run(cmd.Context(), flags, log)
		},
	})
	flags = a.runFlags(c)
	return c
}

// run serves until a signal ends ctx, and returns in time after it whatever
// starting or closing may be waiting for: what is acknowledged is on disk.
func (a *app) run(ctx context.Context, flags *runFlags, log *slog.Logger) error {
	done := make(chan error, 1)
	go func() { done <- a.serve(ctx, flags, log) }() // ends with ctx, at the latest with the process
	select {
	case err := <-done:
		return err
	case <-late(ctx):
		log.Warn("ending took too long and was cut short")
		return nil
	}
}

// late returns a channel that is closed closeTime after ctx is done.
func late(ctx context.Context) <-chan struct{} {
	c := make(chan struct{})
	context.AfterFunc(ctx, func() { time.AfterFunc(closeTime, func() { close(c) }) })
	return c
}

func (a *app) serve(ctx context.Context, flags *runFlags, log *slog.Logger) error {
	d, err := startDaemon(ctx, a, flags, log)
	if err != nil {
		if ctx.Err() != nil {
			return nil // interrupted while starting
		}
		return err
	}
	if err := a.printReady(d); err != nil {
		return errors.Join(err, d.close())
	}
	if s := standingOf(a.dir); s.file != nil && !s.has {
		log.Warn("this node has no ticket: have a registrar admit it", "command", a.shell(" register --registrar ADDR --code-file FILE"))
	}
	select {
	case <-ctx.Done():
		return d.close()
	case <-d.node.Done():
		err := d.node.Err()
		log.Error("the node ended by itself", "err", err)
		return errors.Join(err, d.close())
	}
}

func (a *app) printReady(d *daemon) error {
	n := d.node.Network()
	line := bytes.NewBufferString("ready ")
	err := show.JSON(line, ready{
		PeerID: d.node.ID().String(), Addrs: orEmpty(d.addrs()),
		Network: n.Name, NetworkID: hex.EncodeToString(n.ID[:]), Dir: a.dir,
		Registrar: d.office.about(),
	})
	if err != nil {
		return err
	}
	_, err = a.out.Write(line.Bytes())
	return err
}

// addrs are the addresses as others are told them: with the peer ID.
func (d *daemon) addrs() []string {
	var addrs []string
	for _, addr := range d.node.Addrs() {
		addrs = append(addrs, fmt.Sprintf("%s/p2p/%s", addr, d.node.ID()))
	}
	return addrs
}

// readAtMost reads all of r, which may not be longer than most bytes.
func readAtMost(r io.Reader, most int64) (string, error) {
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return "", errFile.With(err)
	}
	if int64(len(data)) > most {
		return "", errFile.Withf("a file is larger than %d bytes", most)
	}
	return string(data), nil
}
