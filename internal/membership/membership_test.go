package membership_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/membership"
)

func profile(author byte, hlc event.HLC, id byte, nick string) *event.Event {
	payload, err := event.Profile{Nick: nick}.Encode()
	if err != nil {
		panic(err)
	}
	return control(author, hlc, id, event.KindProfile, payload)
}

func leave(author byte, hlc event.HLC, id byte) *event.Event {
	return control(author, hlc, id, event.KindLeave, nil)
}

func control(author byte, hlc event.HLC, id byte, kind event.Kind, payload []byte) *event.Event {
	return &event.Event{
		Header:  event.Header{Version: event.Version, Author: event.Author{author}, HLC: hlc, Kind: kind},
		ID:      event.ID{id},
		Content: append(make([]byte, event.SaltSize), payload...),
	}
}

// show writes a view as "author:nick", those who left in brackets.
func show(v *membership.View, authors ...byte) (s string) {
	for _, a := range authors {
		switch m, ok := v.Member(event.Author{a}); {
		case !ok:
			s += "- "
		case m.In:
			s += fmt.Sprintf("%d:%s ", a, m.Nick)
		default:
			s += fmt.Sprintf("(%d:%s) ", a, m.Nick)
		}
	}
	return s
}

// spec: 03-events M18
func TestTheLatestEventDecides(t *testing.T) {
	for _, test := range []struct {
		name   string
		events []*event.Event
		want   string
	}{
		{"nobody", nil, "- "},
		{"joined", []*event.Event{profile(1, 1, 1, "ada")}, "1:ada "},
		{"left", []*event.Event{profile(1, 1, 1, "ada"), leave(1, 2, 2)}, "(1:ada) "},
		{"came back", []*event.Event{profile(1, 1, 1, "ada"), leave(1, 2, 2), profile(1, 3, 3, "eve")}, "1:eve "},
		{"of one time the higher id", []*event.Event{profile(1, 5, 1, "ada"), profile(1, 5, 2, "eve")}, "1:eve "},
		{"left and joined at one time", []*event.Event{profile(1, 5, 1, "ada"), leave(1, 5, 2)}, "(1:ada) "},
		{"only left", []*event.Event{leave(1, 1, 1)}, "(1:) "},
		{"a message says nothing", []*event.Event{control(1, 1, 1, event.KindMessage, nil)}, "- "},
		{"a kind of the future says nothing", []*event.Event{control(1, 1, 1, 99, nil)}, "- "},
		{"unreadable, it joins", []*event.Event{profile(1, 1, 1, "ada"), control(1, 2, 2, event.KindProfile, []byte{0xff})}, "1:ada "},
	} {
		v := membership.New()
		for _, e := range test.events {
			v.Apply(e)
		}
		if got := show(v, 1); got != test.want {
			t.Errorf("%s: %q, not %q", test.name, got, test.want)
		}
	}
}

// spec: 03-events M18
func TestAnErasedProfileStillJoins(t *testing.T) {
	e := profile(1, 1, 1, "ada")
	e.Content = nil
	v := membership.New()
	if v.Apply(e); show(v, 1) != "1: " {
		t.Errorf("%q", show(v, 1))
	}
}

// The slow version as judge: sort, then let the last one win. Whatever the
// order of arrival, and events may come twice, the view is the same.
//
// spec: 03-events M18
func TestOrderOfArrivalDoesNotMatter(t *testing.T) {
	for seed := range uint64(200) {
		dice := rand.New(rand.NewPCG(seed, 7))
		var events []*event.Event
		for i := range 12 {
			author, hlc := byte(dice.IntN(3)), event.HLC(dice.IntN(6))
			if dice.IntN(3) == 0 {
				events = append(events, leave(author, hlc, byte(i)))
			} else {
				events = append(events, profile(author, hlc, byte(i), string(rune('a'+dice.IntN(4)))))
			}
		}
		want := show(judge(events), 0, 1, 2)
		for range 10 {
			shuffled := append(slices.Clone(events), events[dice.IntN(len(events))])
			dice.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
			v := membership.New()
			for _, e := range shuffled {
				before := show(v, 0, 1, 2)
				if changed := v.Apply(e); !changed && show(v, 0, 1, 2) != before {
					t.Fatal("changed without saying so")
				}
			}
			if got := show(v, 0, 1, 2); got != want {
				t.Fatalf("seed %d: %q, not %q", seed, got, want)
			}
			if v.Len() != len(v.Members()) {
				t.Fatalf("%d members, Len says %d", len(v.Members()), v.Len())
			}
		}
	}
}

func judge(events []*event.Event) *membership.View {
	sorted := slices.Clone(events)
	slices.SortFunc(sorted, func(a, b *event.Event) int {
		return cmp.Or(cmp.Compare(a.HLC, b.HLC), a.ID.Compare(b.ID))
	})
	v := membership.New()
	for _, e := range sorted {
		v.Apply(e)
	}
	return v
}
