package dht

import (
	"slices"
	"testing"
	"time"
)

// Five nodes of which one hears of ever more others, and then of few for a day. What it decides is told to Kademlia, which serves or does not, and the
// others take note. spec: 09-dht §2
func TestWhoServesChangesAsOthersComeAndGo(t *testing.T) {
	onSite(t, func(s *site) {
		s.start(0)
		for i := 1; i < 5; i++ {
			s.start(i, 0)
			for j := 1; j < i; j++ {
				s.connect(i, j)
			}
		}
		expect := func(want bool, when string) {
			t.Helper()
			if self, known := s.serves(0); self != want || known != want || s.nodes[0].table.Serving() != want {
				t.Errorf("%s: serves %v, others know it as a server: %v, want %v", when, self, known, want)
			}
		}
		time.Sleep(10 * time.Second)
		expect(true, "among five")
		table, lower := s.nodes[0].table, invented(s.nodes[0].ID(), serversOut)
		table.Heard(lower[:servers]...)
		time.Sleep(2 * decideEvery)
		expect(true, "when 24 others are lower and it serves already")
		table.Heard(lower...)
		time.Sleep(decideEvery + time.Second)
		expect(false, "when 32 others are lower")
		table.mu.Lock()
		for _, id := range lower[servers-5:] { // most of a day ago, to spare the test the day
			table.roles.heard(id, time.Now().Add(2*time.Minute-heardFor))
		}
		table.mu.Unlock()
		time.Sleep(decideEvery + time.Second)
		expect(false, "when they were heard of within the day")
		time.Sleep(2*time.Minute + decideEvery)
		expect(true, "when most have not been heard of for a day")
	})
}

// spec: 09-dht §4
func TestRoomsAreProvidedWhenServersAppear(t *testing.T) {
	onSite(t, func(s *site) {
		log := [32]byte{7}
		s.start(0).table.Provide(log)
		s.nodes[0].table.SetNick("anna")
		time.Sleep(3 * time.Hour) // alone
		s.start(1, 0)
		time.Sleep(10 * time.Second)
		if !s.holds(1, 0, log) {
			t.Fatal("the first server was not told of the room")
		}
		if r, err := s.lookup(1, s.nodes[0].ID()); err != nil || r.Nick != "anna" {
			t.Fatalf("the first server was not told of the node: %v %v", r, err)
		}
		for i := 2; i < 4; i++ {
			s.start(i, 0, 1)
		}
		time.Sleep(10 * time.Second) // much less than until they are told in any case
		if !s.holds(2, 0, log) || !s.holds(3, 0, log) {
			t.Error("servers that came later were not told")
		}
	})
}

// spec: 09-dht §4
func TestWhatIsProvidedIsToldAgainAndForgotten(t *testing.T) {
	onSite(t, func(s *site) {
		log := [32]byte{7}
		s.start(0)
		s.start(1, 0).table.Provide(log)
		for _, c := range []struct{ after, atMost time.Duration }{ // since the last look; then as old
			{30 * time.Second, 30 * time.Second},
			{firstAgain, 45 * time.Second}, // told again when a minute is over, or a quarter of one before
			{3 * time.Hour, refresh + time.Second},
			{11 * time.Minute, refresh + time.Second},
			{11 * time.Minute, refresh + time.Second},
			{11 * time.Minute, refresh + time.Second},
		} {
			time.Sleep(c.after)
			r, err := s.lookup(0, s.nodes[1].ID())
			if err != nil || time.Since(r.Made) > c.atMost {
				t.Errorf("%v, %v is told at %v", err, time.Now(), r)
			}
		}
		time.Sleep(2 * roomLife)
		if !s.holds(0, 1, log) {
			t.Error("who is in a room all the time is forgotten")
		}
		s.nodes[1].table.Withdraw(log)
		time.Sleep(roomLife + cleanup)
		if s.holds(0, 1, log) {
			t.Error("who has left is not forgotten")
		}
	})
}

// Members who know a server each and not one another. spec: 09-dht §4
func TestMembersAreFound(t *testing.T) {
	onSite(t, func(s *site) {
		log := [32]byte{7}
		s.start(0)
		for i := 1; i < 4; i++ {
			s.start(i, 0)
		}
		s.nodes[1].table.Provide(log)
		time.Sleep(20 * time.Second)
		s.nodes[2].table.Provide(log)
		s.nodes[3].table.Provide([32]byte{8})
		time.Sleep(time.Minute)
		for i, want := range [][]int{1: {2}, 2: {1}, 3: nil} {
			for j := range s.nodes {
				if got := s.nodes[i].foundOthers()[s.nodes[j].ID()] > 0; got != slices.Contains(want, j) {
					t.Errorf("%d found %d: %v", i, j, got)
				}
			}
		}
	})
}
