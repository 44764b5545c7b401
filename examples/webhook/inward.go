package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/parley-chat/parley/chat"
)

// maxBody bounds a request: room for the largest text there may be.
const maxBody = 128 << 10

// inward says in the room what is posted. It answers 200 when the message is
// safe on disk; until then the poster repeats the request, with the same id.
func inward(room *chat.Room, secret []byte) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{$}", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			http.Error(w, "too long", http.StatusRequestEntityTooLarge)
			return
		}
		if err := verify(r.Header, secret, toRoom, time.Now(), body); err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		var p post
		if err := json.Unmarshal(body, &p); err != nil || p.ID == "" {
			http.Error(w, "not a message with an id", http.StatusBadRequest)
			return
		}
		_, err = room.Send(r.Context(), chat.Text(p.Text).Once(p.ID))
		switch {
		case err == nil:
		case errors.Is(err, chat.ErrContent), errors.Is(err, chat.ErrText), errors.Is(err, chat.ErrTooLong), errors.Is(err, chat.ErrKey):
			http.Error(w, err.Error(), http.StatusBadRequest)
		default: // a full disk, an end: it may go better later
			http.Error(w, "not now", http.StatusServiceUnavailable)
		}
	})
	return mux
}
