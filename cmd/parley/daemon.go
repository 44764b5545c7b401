package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/parley-chat/parley/api/server"
	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node"
	"github.com/parley-chat/parley/registrar/client"
)

// daemon is a node with its messenger, its API and its metrics, opened in this
// order and closed in the reverse one.
type daemon struct {
	node    *node.Node
	chat    *chat.Messenger
	api     *server.Server
	office  *office // nil: no registrar
	closers []io.Closer
}

// startDaemon returns when the store is open, the node listens and the API
// answers. ctx bounds the start. On an error nothing is left running.
func startDaemon(ctx context.Context, a *app, r *runFlags, log *slog.Logger) (_ *daemon, err error) {
	cfg, err := r.config(a)
	if err != nil {
		return nil, err
	}
	if r.light {
		frugal(a.getenv)
	}
	d := &daemon{}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	cfg.Logger, cfg.Admitter = log, client.Admitter{}
	reg, err := d.serveMetrics(r.metrics, log)
	if err != nil {
		return nil, err
	}
	if reg != nil {
		cfg.Registerer = reg
	}
	if d.node, err = node.Start(ctx, cfg); err != nil {
		return nil, err
	}
	d.closers = append(d.closers, d.node)
	if err := r.zone.remember(a.dir); err != nil {
		return nil, err
	}
	if err := d.openChat(ctx, a, r, cfg); err != nil {
		return nil, err
	}
	serve := server.Config{Node: d.node, Messenger: d.chat, Logger: log, Directory: client.Directory{Node: d.node}}
	if r.registrar != nil {
		if d.office, err = r.registrar.open(a, d, log); err != nil {
			return nil, err
		}
		serve.Registrar, serve.Directory = d.office, d.office
	}
	v := ourVersion()
	serve.Release, serve.Wire, serve.Schema = v.Release, v.Wire, v.Schema
	d.api, err = server.Start(serve)
	if err != nil {
		return nil, err
	}
	d.closers = append(d.closers, d.api)
	return d, nil
}

func (d *daemon) openChat(ctx context.Context, a *app, r *runFlags, cfg node.Config) (err error) {
	d.chat, err = chat.Open(ctx, d.node, chat.Config{
		Nick: r.name, DefaultNick: loginName(a.getenv), Retention: r.retention(), Logger: cfg.Logger, Registerer: cfg.Registerer,
	})
	if err != nil {
		return err
	}
	d.closers = append(d.closers, d.chat)
	for _, name := range r.join {
		room, err := a.room(name)
		if err != nil {
			return err
		}
		if _, err := d.chat.Join(ctx, room); err != nil {
			return err
		}
	}
	return nil
}

// serveMetrics serves a fresh registry if addr is not empty.
func (d *daemon) serveMetrics(addr string, log *slog.Logger) (*prometheus.Registry, error) {
	if addr == "" {
		return nil, nil
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	l, err := net.Listen("tcp", metricsAddr(addr))
	if err != nil {
		return nil, errMetrics.With(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	log.Info("metrics are served", "addr", l.Addr())
	done := make(chan struct{})
	go func() { // ended by closing srv, which waits for it
		defer close(done)
		_ = srv.Serve(l) // always returns an error: that of Close
	}()
	d.closers = append(d.closers, closerFunc(func() error {
		err := srv.Close()
		<-done
		return err
	}))
	return reg, nil
}

// close closes everything in the reverse order and may be called once.
func (d *daemon) close() error {
	var errs []error
	for i := len(d.closers) - 1; i >= 0; i-- {
		errs = append(errs, d.closers[i].Close())
	}
	d.closers = nil
	return errors.Join(errs...)
}

type closerFunc func() error

func (f closerFunc) Close() error { return f() }
