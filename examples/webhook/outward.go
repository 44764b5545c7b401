package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/parley-chat/parley/chat"
)

// outward posts what is said in the room. The cursor of the last message dealt
// with lies in a file: after a restart it goes on from there, so that each
// message is posted at least once, and in order of arrival.
type outward struct {
	cfg  config
	m    *chat.Messenger
	file string
	from uint64
}

func cursorFile(dir string) string { return filepath.Join(dir, "webhook.cursor") }

// begin reads the cursor; a new bridge begins with what is said from now on.
func (o *outward) begin() error {
	b, err := os.ReadFile(o.file)
	if errors.Is(err, os.ErrNotExist) {
		return o.done(o.m.LastCursor())
	}
	if err == nil {
		o.from, err = strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	}
	return err
}

// done remembers how far it came; the file is replaced whole.
func (o *outward) done(cursor uint64) error {
	o.from = cursor
	if err := os.WriteFile(o.file+".new", strconv.AppendUint(nil, cursor, 10), 0o600); err != nil {
		return err
	}
	return os.Rename(o.file+".new", o.file)
}

// run posts until ctx ends.
func (o *outward) run(ctx context.Context, room *chat.Room) error {
	for u := range o.m.Updates(ctx, o.from) {
		added, ok := u.(chat.MessageAdded)
		if !ok || added.Message.Log != room.Log() {
			continue
		}
		// What was posted here is own: it does not go round in circles.
		if msg := added.Message; !msg.Self && msg.Kind == chat.KindMessage && o.cfg.to != "" {
			body, err := json.Marshal(post{msg.ID.String(), msg.Room, msg.Nick, msg.Text})
			if err != nil {
				return err
			}
			if err := o.insist(ctx, body); err != nil {
				return err
			}
		}
		if err := o.done(added.Message.Cursor); err != nil {
			return err
		}
	}
	return o.m.Err()
}

// insist posts until it is taken, or refused for good: then it is logged, and
// the next one's turn. Later messages wait in the store meanwhile.
func (o *outward) insist(ctx context.Context, body []byte) error {
	for wait := o.cfg.retry; ; wait = min(2*wait, 5*time.Minute) {
		again, err := o.post(ctx, body)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		o.cfg.log.Warn("not posted", "err", err, "again", again)
		if !again {
			return nil
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// client follows no redirect: what is signed is for the URL that was named.
var client = &http.Client{
	Timeout:       30 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// post tries once. again says that it may go better later.
func (o *outward) post(ctx context.Context, body []byte) (again bool, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, o.cfg.to, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	r.Header.Set("Content-Type", "application/json")
	sign(r.Header, o.cfg.secret, fromRoom, time.Now(), body)
	answer, err := client.Do(r)
	if err != nil {
		return true, err
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // the connection serves again
	switch code := answer.StatusCode; {
	case code >= 200 && code < 300:
		return false, nil
	default:
		again = code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout
		return again, fmt.Errorf("the service answers %s", answer.Status)
	}
}
