package main

import (
	"slices"
	"strings"

	"github.com/parley-chat/parley/cmd/parley/internal/show"
)

// names tells people apart who bear one nick: nick key → the peers that were
// seen to bear it. From the second on each is shown with the end of its ID.
type names map[string][]string

// seen remembers that a peer bears a nick.
func (n names) seen(peerID, nick string) {
	key := nickKey(nick)
	if !slices.Contains(n[key], peerID) {
		n[key] = append(n[key], peerID)
	}
}

// of returns how a peer is shown.
func (n names) of(peerID, nick string) string {
	n.seen(peerID, nick)
	if len(n[nickKey(nick)]) > 1 {
		return show.Clean(nick) + " (" + show.ShortID(peerID) + ")"
	}
	return show.Clean(nick)
}

// nickKey is by which nicks are equal.
func nickKey(nick string) string { return strings.ToLower(show.Clean(nick)) }

func sortNames(list []string) { slices.SortFunc(list, strings.Compare) }
