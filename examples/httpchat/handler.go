package main

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/parley-chat/parley/chat"
)

// The page is files of its own: no script stands in HTML, and what people write
// gets into it as text alone (textContent), never as HTML.
//
//go:embed page
var page embed.FS

// Bounds of what a browser may ask for.
const (
	maxText    = 16 << 10 // bytes of a request that sends
	maxHistory = 200      // messages of one answer
	maxStreams = 64       // live streams at a time
)

// message is a message as the page gets it.
type message struct {
	ID     string    `json:"id"`
	Cursor uint64    `json:"cursor"`
	Nick   string    `json:"nick"`
	Text   string    `json:"text"`
	Time   time.Time `json:"time"`
}

// handler serves one room:
//
//	GET  /          the page
//	POST /messages  sends the field text of a form
//	GET  /messages  the newest 50, ?limit=n, ?before=id
//	GET  /live      what is said from now on, as server-sent events
type handler struct {
	m    *chat.Messenger
	room *chat.Room
	live chan struct{} // a token for each stream
}

func newHandler(m *chat.Messenger, room *chat.Room) http.Handler {
	h := &handler{m, room, make(chan struct{}, maxStreams)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, page, "page/index.html")
	})
	mux.HandleFunc("GET /chat.js", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, page, "page/chat.js")
	})
	mux.HandleFunc("POST /messages", h.send)
	mux.HandleFunc("GET /messages", h.history)
	mux.HandleFunc("GET /live", h.updates)
	// What changes something must come from this site's own pages.
	return harden(http.NewCrossOriginProtection().Handler(mux))
}

// harden tells the browser to run nothing but this site's own script.
func harden(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		next.ServeHTTP(w, r)
	})
}

func (h *handler) send(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxText)
	if err := r.ParseForm(); err != nil {
		var tooLong *http.MaxBytesError
		if errors.As(err, &tooLong) {
			http.Error(w, "too long", http.StatusRequestEntityTooLarge)
			return
		}
		http.Error(w, "not a form", http.StatusBadRequest)
		return
	}
	id, err := h.room.Send(r.Context(), chat.Text(r.PostForm.Get("text")))
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, map[string]string{"id": id.String()})
}

func (h *handler) history(w http.ResponseWriter, r *http.Request) {
	q := chat.Query{Limit: 50}
	if s := r.FormValue("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > maxHistory {
			http.Error(w, "limit is 1 to "+strconv.Itoa(maxHistory), http.StatusBadRequest)
			return
		}
		q.Limit = n
	}
	if s := r.FormValue("before"); s != "" {
		id, err := chat.ParseID(s)
		if err != nil {
			http.Error(w, "before is no id", http.StatusBadRequest)
			return
		}
		q.Before = &id
	}
	messages := []message{}
	for msg, err := range h.room.History(r.Context(), q) {
		if err != nil {
			fail(w, err)
			return
		}
		messages = append(messages, shown(&msg))
	}
	answer(w, messages)
}

// updates streams messages. The browser says by Last-Event-ID how far it came
// when it connects anew, so that it misses none.
func (h *handler) updates(w http.ResponseWriter, r *http.Request) {
	select {
	case h.live <- struct{}{}:
		defer func() { <-h.live }()
	default:
		http.Error(w, "too many watch", http.StatusServiceUnavailable)
		return
	}
	cursor := h.m.LastCursor()
	if s := r.Header.Get("Last-Event-ID"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			http.Error(w, "no cursor", http.StatusBadRequest)
			return
		}
		cursor = n
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	if _, err := fmt.Fprintf(w, ": from %d on\n\n", cursor); err != nil || out.Flush() != nil {
		return
	}
	for u := range h.m.Updates(r.Context(), cursor) {
		added, ok := u.(chat.MessageAdded)
		if !ok || added.Message.Log != h.room.Log() {
			continue
		}
		data, err := json.Marshal(shown(&added.Message)) // has no line breaks
		if err != nil {
			return
		}
		_ = out.SetWriteDeadline(time.Now().Add(30 * time.Second)) // who reads nothing is let go
		if _, err := fmt.Fprintf(w, "id: %d\ndata: %s\n\n", added.Message.Cursor, data); err != nil || out.Flush() != nil {
			return
		}
	}
}

func shown(msg *chat.Message) message {
	return message{msg.ID.String(), msg.Cursor, msg.Nick, msg.Text, msg.Time}
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(v)
}

// fail says what a person can do something about; the rest is the server's.
func fail(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, chat.ErrContent), errors.Is(err, chat.ErrText), errors.Is(err, chat.ErrTooLong), errors.Is(err, chat.ErrNoMessage):
		http.Error(w, err.Error(), http.StatusBadRequest)
	case errors.Is(err, chat.ErrClosed), errors.Is(err, context.Canceled):
		http.Error(w, "closing", http.StatusServiceUnavailable)
	default:
		http.Error(w, "the chat failed", http.StatusInternalServerError)
	}
}
