package server

import (
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/chat"
)

func messageOf(m chat.Message) *v1.Message {
	out := &v1.Message{
		Id: m.ID.String(), Log: m.Log.String(), Room: m.Room,
		Author: m.Author.String(), Nick: m.Nick,
		Hlc: m.HLC, Seq: m.Seq, Kind: m.Kind, Type: m.Type, Text: m.Text, Data: m.Data,
		Direct: directOf(m.Direct), State: m.State, Cursor: m.Cursor, Self: m.Self, Erased: m.Erased, Fork: m.Fork,
	}
	for _, p := range m.Parents {
		out.Parents = append(out.Parents, p.String())
	}
	slices.Sort(out.Parents)
	return out
}

// directOf writes the other side of a direct chat; in a room there is none.
func directOf(p peer.ID) string {
	if p == "" {
		return ""
	}
	return p.String()
}

func memberOf(m chat.Member) *v1.Member {
	return &v1.Member{PeerId: m.Peer.String(), Nick: m.Nick, Online: m.Online, Self: m.Self}
}

func started(cursor uint64) *v1.WatchResponse {
	return &v1.WatchResponse{Update: &v1.WatchResponse_Started{Started: &v1.Started{Cursor: cursor}}}
}

// updateOf returns nil for an update that the API has no word for.
func updateOf(u chat.Update) *v1.WatchResponse {
	switch u := u.(type) {
	case chat.MessageAdded:
		return &v1.WatchResponse{Update: &v1.WatchResponse_Message{Message: messageOf(u.Message)}}
	case chat.StateChanged:
		return &v1.WatchResponse{Update: &v1.WatchResponse_State{State: &v1.StateChanged{
			Id: u.ID.String(), Room: u.Room, Direct: directOf(u.Direct), Seq: u.Seq, State: u.State,
		}}}
	case chat.MemberChanged:
		return &v1.WatchResponse{Update: &v1.WatchResponse_Member{Member: &v1.MemberChanged{
			Room: u.Room, Member: memberOf(u.Member), Left: u.Left,
		}}}
	case chat.PeerChanged:
		return &v1.WatchResponse{Update: &v1.WatchResponse_Peer{Peer: &v1.PeerChanged{
			PeerId: u.Peer.String(), Nick: u.Nick, Online: u.Online,
		}}}
	case chat.RoomsChanged:
		return &v1.WatchResponse{Update: &v1.WatchResponse_Rooms{Rooms: &v1.RoomsChanged{}}}
	case chat.Lagged:
		return &v1.WatchResponse{Update: &v1.WatchResponse_Lagged{Lagged: &v1.Lagged{Cursor: u.Cursor}}}
	default:
		return nil
	}
}
