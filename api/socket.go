package api

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	socketName = "api.sock"
	addrName   = "api.addr"

	// maxSocketPath is the longest path in bytes used for a socket: systems
	// refuse sun_path beyond 104 (BSD) or 108 (Linux, Windows).
	maxSocketPath = 100

	// answerTimeout bounds the question whether a node answers.
	answerTimeout = 2 * time.Second
)

// SocketPath returns where the API of a node on dir is or will be reached: the
// place written in DIR/api.addr, else DIR/api.sock.
func SocketPath(dir string) string {
	place, err := os.ReadFile(filepath.Join(dir, addrName))
	if err == nil && len(place) <= 4096 {
		if p := strings.TrimSpace(string(place)); filepath.IsAbs(p) {
			return p
		}
	}
	return filepath.Join(dir, socketName)
}

// Dial connects to the socket of the node on dir. It returns ErrNoNode when
// there is none.
func Dial(ctx context.Context, dir string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", SocketPath(dir))
	if err == nil || ctx.Err() != nil {
		return conn, err
	}
	return nil, ErrNoNode
}

// Listen opens the socket of dir for its owner alone. A socket that a dead
// process left is replaced; a living one is ErrAnswers. Closing the listener
// removes what was made.
func Listen(dir string) (net.Listener, error) {
	if err := clearStale(dir); err != nil {
		return nil, err
	}
	path, made, err := choosePath(dir)
	if err != nil {
		return nil, ErrListen.With(err)
	}
	l, err := listenAt(path)
	if err != nil {
		removeAll(made)
		return nil, ErrListen.With(err)
	}
	return &listener{Listener: l, made: made}, nil
}

func listenAt(path string) (net.Listener, error) {
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := closeToOthers(path); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// clearStale removes what a dead node left on dir.
func clearStale(dir string) error {
	path := SocketPath(dir)
	if _, err := os.Lstat(path); err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
		defer cancel()
		if conn, err := Dial(ctx, dir); err == nil {
			conn.Close()
			return ErrAnswers
		}
		if err := os.Remove(path); err != nil {
			return ErrListen.With(err)
		}
	}
	if place := filepath.Join(dir, addrName); path != filepath.Join(dir, socketName) {
		os.Remove(filepath.Dir(path)) // only if it is our own, now empty, directory
		os.Remove(place)
	}
	return nil
}

// choosePath returns the socket's path for dir and what was created to hold
// it. A path too long for the system is replaced by a short one in a private
// directory, whose place is written to DIR/api.addr.
func choosePath(dir string) (path string, made []string, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return "", nil, err
	}
	if path = filepath.Join(dir, socketName); len(path) <= maxSocketPath {
		return path, nil, nil
	}
	short, err := shortDir()
	if err != nil {
		return "", nil, err
	}
	path = filepath.Join(short, socketName)
	place := filepath.Join(dir, addrName)
	made = []string{place, short}
	if err := os.WriteFile(place, []byte(path+"\n"), 0o600); err != nil {
		removeAll(made)
		return "", nil, err
	}
	return path, made, nil
}

// shortDir makes a directory of an unguessable name that only its owner may
// enter, in the first place where a socket's path is short enough.
func shortDir() (string, error) {
	places := append([]string{os.Getenv("XDG_RUNTIME_DIR"), os.TempDir()}, shortPlaces...)
	err := errors.New("every place for a short socket path is too long")
	for _, place := range places {
		if place == "" || !filepath.IsAbs(place) || len(place)+len("/parley-0123456789/")+len(socketName) > maxSocketPath {
			continue
		}
		var short string
		if short, err = os.MkdirTemp(place, "parley-"); err == nil {
			return short, nil
		}
	}
	return "", err
}

// removeAll removes files and empty directories; what is gone already is fine.
func removeAll(paths []string) {
	for _, p := range paths {
		if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			continue // a foreign file in it: the directory is left
		}
	}
}

// listener removes on Close what choosePath made; net removes the socket.
type listener struct {
	net.Listener
	made []string
}

func (l *listener) Close() error {
	err := l.Listener.Close()
	removeAll(l.made)
	return err
}
