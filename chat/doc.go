// Package chat is the facade that a program embeds: rooms joined by name,
// messages that are safe on disk when Send returns, history, members, and
// updates that lose nothing.
//
//	n, err := node.Start(ctx, node.Config{Dir: dir})
//	m, err := chat.Open(ctx, n, chat.Config{Nick: "ada"})
//	room, err := m.Join(ctx, "lobby")
//	id, err := room.Send(ctx, chat.Text("hello"))
//	for u := range m.Updates(ctx, m.LastCursor()) { … } // then ask m.Err()
//
// A Messenger owns the store in the node's directory, the replication of each
// joined room and the node's presence signals; close it before the node. All
// methods may be called by any goroutine. Joined rooms, the nick and ignored
// peers are remembered in the store.
//
// A node has one Messenger; several nodes with theirs in one process, each with
// a directory of its own, are fine. There is no global state. Metrics of
// several go into one registry when each gets a label of its own
// (prometheus.WrapRegistererWith).
//
// What is said is content of a type: [Text], or an application's own by
// [Custom], with a text for programs that do not know it. What need not arrive,
// as that somebody is typing, is a signal: [Room.Signal], [Room.Signals].
//
// Order: history is sorted by (HLC, ID), the same on every node that holds the
// same events. Updates come in order of arrival on this node, whose numbers
// are the cursors; an event that arrives late sorts into the past of the
// history, but comes last in the updates. Send's id has arrived before Send
// returns.
//
// Errors are [node.Error] values, to be compared with the Err variables here by
// errors.Is, those of a context, and such as package node returns. What waits
// ends with its context.
//
// The package composes: delivery, presence, the store and the membership view
// are internal packages.
package chat
