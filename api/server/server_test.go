package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/parley-chat/parley/api"
	"github.com/parley-chat/parley/api/client"
	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/api/parley/v1/parleyv1connect"
	"github.com/parley-chat/parley/api/server"
	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node"
)

// served is a node on the loopback with its API.
type served struct {
	dir    string
	chat   *chat.Messenger
	server *server.Server
	client *client.Client
}

func serve(t *testing.T) *served {
	t.Helper()
	s := &served{dir: t.TempDir()}
	n, err := node.Start(t.Context(), node.Config{
		Dir: s.dir, NoMDNS: true, Listen: []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/0")},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	if s.chat, err = chat.Open(t.Context(), n, chat.Config{Nick: "ada"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.chat.Close() })
	if s.server, err = server.Start(server.Config{Node: n, Messenger: s.chat, Release: "test"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.server.Close() })
	if s.client, err = client.Dial(t.Context(), s.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.client.Close)
	return s
}

func (s *served) join(t *testing.T, room string) {
	t.Helper()
	if _, err := s.client.JoinRoom(t.Context(), &v1.JoinRoomRequest{Room: room}); err != nil {
		t.Fatal(err)
	}
}

func (s *served) send(t *testing.T, room, text string) string {
	t.Helper()
	res, err := s.client.SendMessage(t.Context(), &v1.SendMessageRequest{Room: room, Text: text})
	if err != nil {
		t.Fatal(err)
	}
	return res.GetId()
}

// Whatever a method refuses comes out of the client as the fault that chat
// declared, for single calls and streams alike.
func TestRefusalsKeepTheirCodes(t *testing.T) {
	s := serve(t)
	s.join(t, "lobby")
	ctx := t.Context()
	calls := map[string]struct {
		call func() error
		want error
	}{
		"join a bad name": {func() error {
			_, err := s.client.JoinRoom(ctx, &v1.JoinRoomRequest{Room: "#x"})
			return err
		}, chat.ErrRoomName},
		"send to an unknown room": {func() error {
			_, err := s.client.SendMessage(ctx, &v1.SendMessageRequest{Room: "other", Text: "x"})
			return err
		}, chat.ErrNoRoom},
		"send nothing": {func() error {
			_, err := s.client.SendMessage(ctx, &v1.SendMessageRequest{Room: "lobby"})
			return err
		}, chat.ErrContent},
		"send too much": {func() error {
			_, err := s.client.SendMessage(ctx, &v1.SendMessageRequest{Room: "lobby", Text: strings.Repeat("x", 70<<10)})
			return err
		}, chat.ErrTooLong},
		"send more than a request may hold": {func() error {
			_, err := s.client.SendMessage(ctx, &v1.SendMessageRequest{Room: "lobby", Text: strings.Repeat("x", 2<<20)})
			return err
		}, api.ErrArgument},
		"history before nonsense": {func() error { return s.history(ctx, &v1.HistoryRequest{Room: "lobby", Before: "abc"}) }, api.ErrArgument},
		"history after an unknown id": {func() error {
			return s.history(ctx, &v1.HistoryRequest{Room: "lobby", After: strings.Repeat("0", 64)})
		}, chat.ErrNoMessage},
		"watch an unknown room":    {func() error { return s.watch(ctx, &v1.WatchRequest{Room: "other"}) }, chat.ErrNoRoom},
		"watch history without it": {func() error { return s.watch(ctx, &v1.WatchRequest{History: 1}) }, api.ErrArgument},
		"stream to an unknown room": {func() error {
			stream, err := s.client.SendMessages(ctx)
			if err != nil {
				return err
			}
			_ = stream.Send(&v1.SendMessagesRequest{Room: "other", Text: "x"})
			_, err = stream.Receive()
			return err
		}, chat.ErrNoRoom},
	}
	for name, c := range calls {
		if err := c.call(); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func (s *served) history(ctx context.Context, req *v1.HistoryRequest) error {
	stream, err := s.client.History(ctx, req)
	if err != nil {
		return err
	}
	defer stream.Close()
	for stream.Receive() {
	}
	return stream.Err()
}

func (s *served) watch(ctx context.Context, req *v1.WatchRequest) error {
	stream, err := s.client.Watch(ctx, req)
	if err != nil {
		return err
	}
	defer stream.Close()
	for stream.Receive() {
	}
	return stream.Err()
}

func TestManyMessagesAreAnsweredInOrder(t *testing.T) {
	s := serve(t)
	s.join(t, "lobby")
	stream, err := s.client.SendMessages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const count = 3000 // more than may be under way
	go func() {        // ends with the stream
		for i := range count {
			text := fmt.Sprint(i)
			if i == 7 {
				text = strings.Repeat("x", 70<<10)
			}
			if stream.Send(&v1.SendMessagesRequest{Room: "lobby", Text: text}) != nil {
				return
			}
		}
		_ = stream.CloseRequest()
	}()
	var ids []string
	for i := range count {
		res, err := stream.Receive()
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		if f := res.GetFault(); (f != nil) != (i == 7) {
			t.Fatalf("answer %d: %v", i, f)
		} else if f != nil && f.GetCode() != chat.ErrTooLong.Code {
			t.Errorf("answer 7: %v", f)
		}
		ids = append(ids, res.GetId())
	}
	if _, err := stream.Receive(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
	stored, err := s.client.History(t.Context(), &v1.HistoryRequest{Room: "lobby"})
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	for ; stored.Receive(); i++ {
		if i == 7 {
			i++ // was refused
		}
		if m := stored.Msg().GetMessage(); m.GetId() != ids[i] || m.GetText() != fmt.Sprint(i) {
			t.Fatalf("message %d: %v", i, m)
		}
	}
	if err := stored.Err(); err != nil || i != count {
		t.Errorf("%d messages, %v", i, err)
	}
}

// A watch that begins with history tells every message once: what is in the
// history is not told again, what comes while it is read is.
func TestWatchHasNoGapAndNoDouble(t *testing.T) {
	s := serve(t)
	s.join(t, "lobby")
	s.join(t, "other")
	for i := range 5 {
		s.send(t, "lobby", fmt.Sprint(i))
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := s.client.Watch(ctx, &v1.WatchRequest{Room: "LOBBY", History: 3})
	if err != nil {
		t.Fatal(err)
	}
	if !stream.Receive() || stream.Msg().GetStarted() == nil {
		t.Fatalf("the first answer: %v, %v", stream.Msg(), stream.Err())
	}
	s.send(t, "other", "not for this watch")
	for i := 5; i < 8; i++ {
		s.send(t, "lobby", fmt.Sprint(i))
	}
	var got []string
	var cursor uint64
	for len(got) < 6 && stream.Receive() {
		if m := stream.Msg().GetMessage(); m != nil {
			got = append(got, m.GetText())
			if m.GetCursor() <= cursor {
				t.Errorf("cursor %d after %d", m.GetCursor(), cursor)
			}
			cursor = m.GetCursor()
		}
	}
	if fmt.Sprint(got) != "[2 3 4 5 6 7]" {
		t.Errorf("got %v, %v", got, stream.Err())
	}
	cancel()
	for stream.Receive() {
	}
	if err := stream.Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancelling: %v", err)
	}
}

// Closing ends open calls in time and tells them so; then nobody answers.
func TestCloseEndsCalls(t *testing.T) {
	s := serve(t)
	s.join(t, "lobby")
	stream, err := s.client.Watch(t.Context(), &v1.WatchRequest{})
	if err != nil || !stream.Receive() {
		t.Fatal(err, stream.Err())
	}
	if err := s.server.Close(); err != nil {
		t.Fatal(err)
	}
	for stream.Receive() {
	}
	if err := stream.Err(); !errors.Is(err, api.ErrGone) {
		t.Errorf("an open watch: %v, want %v", err, api.ErrGone)
	}
	if _, err := client.Dial(t.Context(), s.dir); !errors.Is(err, api.ErrNoNode) {
		t.Errorf("dialling after the end: %v, want %v", err, api.ErrNoNode)
	}
	if err := s.server.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
}

// Other languages need no generated code: JSON over HTTP/1.1 will do, and
// gRPC's health service answers.
func TestOtherClients(t *testing.T) {
	s := serve(t)
	s.join(t, "lobby")
	plain := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return api.Dial(ctx, s.dir) },
	}}
	defer plain.CloseIdleConnections()
	post := func(method, body string) (int, string) {
		res, err := plain.Post("http://parley/parley.v1.ParleyService/"+method, "application/json", bytes.NewReader([]byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, strings.ReplaceAll(string(text), " ", "") // protojson's blanks vary on purpose
	}
	if code, text := post("ListRooms", `{}`); code != http.StatusOK || text != `{"rooms":[{"room":"lobby","members":1,"joined":true}]}` {
		t.Errorf("rooms: %d %s", code, text)
	}
	if code, text := post("JoinRoom", `{"room":"#x"}`); code == http.StatusOK || !strings.Contains(text, "P4002") {
		t.Errorf("a refusal: %d %s", code, text)
	}
	health := grpchealth.NewClient(plain, "http://parley")
	res, err := health.Check(t.Context(), &grpchealth.CheckRequest{Service: parleyv1connect.ParleyServiceName})
	if err != nil || res.Status != grpchealth.StatusServing {
		t.Errorf("health: %v, %v", res, err)
	}
	if _, err := parleyv1connect.NewParleyServiceClient(plain, "http://parley", connect.WithGRPCWeb()).
		Status(t.Context(), &v1.StatusRequest{}); err != nil {
		t.Errorf("gRPC-Web: %v", err)
	}
}

// What the node says of itself.
func TestStatus(t *testing.T) {
	s := serve(t)
	s.join(t, "lobby")
	st, err := s.client.Status(t.Context(), &v1.StatusRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if st.GetNick() != "ada" || st.GetNetwork() != "lan" || st.GetMode() != "open" || st.GetDir() != s.dir ||
		st.GetRooms() != 1 || st.GetPeers() != 0 || st.GetVersion().GetRelease() != "test" || st.GetDiscovery().GetMulticast() {
		t.Errorf("%v", st)
	}
	if len(st.GetAddrs()) != 1 || !strings.HasSuffix(st.GetAddrs()[0], "/p2p/"+st.GetPeerId()) {
		t.Errorf("addresses %v", st.GetAddrs())
	}
}
