package server

import (
	"cmp"
	"context"
	"slices"

	v1 "github.com/parley-chat/parley/api/parley/v1"
)

func (s *service) ListRooms(ctx context.Context, req *v1.ListRoomsRequest) (*v1.ListRoomsResponse, error) {
	infos, err := s.chat.Rooms(ctx)
	if err != nil {
		return nil, err
	}
	res := &v1.ListRoomsResponse{}
	for _, r := range infos {
		if r.Joined || req.GetAll() {
			res.Rooms = append(res.Rooms, &v1.Room{Room: r.Name, Members: uint32(r.Members), Joined: r.Joined})
		}
	}
	return res, nil
}

func (s *service) ListMembers(ctx context.Context, req *v1.ListMembersRequest) (*v1.ListMembersResponse, error) {
	room, err := s.chat.Room(req.GetRoom())
	if err != nil {
		return nil, err
	}
	members, err := room.Members(ctx)
	if err != nil {
		return nil, err
	}
	res := &v1.ListMembersResponse{}
	for _, m := range members {
		res.Members = append(res.Members, memberOf(m))
	}
	slices.SortFunc(res.Members, func(a, b *v1.Member) int { return cmp.Compare(a.PeerId, b.PeerId) })
	return res, nil
}

func (s *service) JoinRoom(ctx context.Context, req *v1.JoinRoomRequest) (*v1.JoinRoomResponse, error) {
	room, err := s.chat.Join(ctx, req.GetRoom())
	if err != nil {
		return nil, err
	}
	return &v1.JoinRoomResponse{Room: room.Name()}, nil
}

func (s *service) LeaveRoom(ctx context.Context, req *v1.LeaveRoomRequest) (*v1.LeaveRoomResponse, error) {
	if err := s.chat.Leave(ctx, req.GetRoom()); err != nil {
		return nil, err
	}
	res := &v1.LeaveRoomResponse{Room: req.GetRoom()}
	if room, err := s.chat.Room(req.GetRoom()); err == nil {
		res.Room = room.Name()
	}
	return res, nil
}
