package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/parley-chat/parley/api"
	"github.com/parley-chat/parley/api/client"
	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/cmd/parley/internal/show"
	"github.com/parley-chat/parley/internal/event"
)

const (
	// lobby is the room of the first start.
	lobby = "lobby"

	// recent is how much of a room's history is shown on entering it.
	recent = 10

	// lonely is how long nobody may be found before the reasons are told.
	lonely = 10 * time.Second

	// callTime bounds a command of the chat.
	callTime = 15 * time.Second
)

// session is a chat held on a screen. Its goroutine, hold's, owns everything
// but joined, which the line editor reads for completion.
type session struct {
	app    *app
	client *client.Client
	screen screen
	own    *daemon // the node, if it ends with this session

	self   string // own peer ID
	cursor uint64 // what was stored when the session began
	live   bool   // updates are being received
	room   string // where lines go; empty: nowhere
	names  names
	people map[string]map[string]*v1.Member // room key → peer ID
	mine   map[string]bool                  // ids sent here, whose line is on the screen already

	shown    *reader           // tells what of direct chats was shown
	unseen   map[string]bool   // peer IDs that wrote what was not shown yet
	called   map[string]string // peer ID → the nick it was heard to bear last
	answered map[string]bool   // peer IDs for whom it was said how to answer
	away     map[string]bool   // peer IDs of whom it was said that they are away

	past past // messages of the past that are still coming

	waited bool // the person was told that messages wait
	told   bool // the person was told why nobody is found
	warned bool // the person was told that others end with this session
	quit   bool // it was the person who ended the session

	mu     sync.Mutex
	joined []string // names of the joined rooms
}

func newSession(a *app, c *client.Client) *session {
	chat := *a
	chat.json, chat.inChat = false, true
	return &session{
		app: &chat, client: c, names: names{}, people: map[string]map[string]*v1.Member{}, mine: map[string]bool{},
		called: map[string]string{}, unseen: map[string]bool{}, answered: map[string]bool{}, away: map[string]bool{},
		past: newPast(),
	}
}

// input is what the person typed, or how typing ended.
type input struct {
	line string
	err  error
}

// hold runs the session until the person quits, ctx ends or the node goes.
func (s *session) hold(ctx context.Context, join []string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := s.open(ctx, join); err != nil {
		return err
	}
	s.shown = newReader(ctx, s.client)
	defer s.shown.close()
	s.live = true
	news, ended := s.watch(ctx)
	lines, next := s.read(ctx)
	alone := time.NewTimer(lonely)
	defer alone.Stop()
	defer s.past.timer.Stop()
	for {
		select {
		case u := <-news:
			if s.update(ctx, u) {
				alone.Reset(lonely)
			}
		case in := <-lines:
			if in.err != nil && !errors.Is(in.err, io.EOF) {
				s.quit = true
				return errInput.With(in.err)
			}
			if (in.err != nil || s.typed(ctx, in.line) == errQuit) && !s.stays() {
				s.quit = true
				return nil
			}
			next <- struct{}{}
		case <-s.past.timer.C:
			s.showPast(time.Now())
		case <-alone.C:
			s.explainSilence(ctx)
		case err := <-ended:
			if ctx.Err() != nil {
				return nil
			}
			return s.nodeWent(err)
		case <-ctx.Done():
			return nil
		}
	}
}

// stays tells a person who wants to quit, once, of others that would end too.
func (s *session) stays() bool {
	if s.own == nil || s.warned {
		return false
	}
	others := s.own.api.Watchers() - 1 // this session watches too
	if others <= 0 {
		return false
	}
	s.warned = true
	s.say("* this window runs the node, and others use it (%d): they end with it. Quit once more to end all, or leave this window open.", others)
	return true
}

// nodeWent says what to do for a chat that another window, or parley run, ran
// the node of.
func (s *session) nodeWent(err error) error {
	if !errors.Is(err, api.ErrGone) {
		return err
	}
	return s.app.said(api.ErrGone, s.app.text.T("the node went away: what ran it was closed"),
		s.app.text.T("go on with: %s", s.app.shell("")))
}

// watch receives updates until ctx ends; then, or when the node goes, ended
// tells.
func (s *session) watch(ctx context.Context) (<-chan *v1.WatchResponse, <-chan error) {
	news, ended := make(chan *v1.WatchResponse), make(chan error, 1)
	go func() { // ends with ctx, which hold cancels
		stream, err := s.client.Watch(ctx, &v1.WatchRequest{After: &s.cursor})
		if err != nil {
			ended <- err
			return
		}
		defer stream.Close()
		for stream.Receive() {
			select {
			case news <- stream.Msg():
			case <-ctx.Done():
				return
			}
		}
		ended <- stream.Err()
	}()
	return news, ended
}

// read hands over one line at a time: the next is asked for when the one
// before is dealt with, so that the prompt is the right one.
func (s *session) read(ctx context.Context) (<-chan input, chan<- struct{}) {
	lines, next := make(chan input), make(chan struct{})
	go func() { // ends with ctx, or when the editor is closed
		for {
			line, err := s.screen.ReadLine()
			select {
			case lines <- input{line, err}:
			case <-ctx.Done():
				return
			}
			select {
			case <-next: // after the end of input too, if the person was asked
			case <-ctx.Done():
				return
			}
		}
	}()
	return lines, next
}

// say shows a line of ours.
func (s *session) say(format string, args ...any) {
	fmt.Fprintln(s.screen, s.app.text.T(format, args...))
}

// fail shows an error.
func (s *session) fail(err error) { fmt.Fprintln(s.screen, s.app.say(err)) }

// joinedNames may be called by any goroutine.
func (s *session) joinedNames() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.joined)
}

// refreshRooms asks which rooms are joined.
func (s *session) refreshRooms(ctx context.Context) error {
	res, err := s.client.ListRooms(ctx, &v1.ListRoomsRequest{})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.joined = s.joined[:0]
	for _, r := range res.GetRooms() {
		s.joined = append(s.joined, r.GetRoom())
	}
	return nil
}

// goTo makes room the one that lines go to.
func (s *session) goTo(room string) {
	s.room = room
	s.screen.SetPrompt(show.Clean(room) + "> ")
}

// here reports whether a room is the one that lines go to.
func (s *session) here(room string) bool { return roomKey(room) == roomKey(s.room) }

// roomKey is by which names of rooms are equal.
func roomKey(name string) string {
	if key, err := event.RoomKey(name); err == nil {
		return key
	}
	return strings.ToLower(name)
}
