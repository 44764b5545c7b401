// Package bench measures Parley on the machine it runs on: how many messages a
// room carries, how soon they arrive, what they cost.
//
//	r, err := bench.Room(ctx, bench.RoomOptions{Nodes: 10, Senders: 1, Size: 256, For: 10 * time.Second})
//
// What is measured is the product's own path through its public API: nodes with
// directories of their own, messages signed, verified, stored and read from
// chat's updates. Each member is a process, or all are in this one. Nodes listen
// on loopback alone, without multicast.
//
// A workload is led by one process (crew), which calls the members ([Member])
// over pipes with net/rpc; members in the same process are called in the same
// way. Messages carry their sender, their index and the time of sending (stamp),
// so that each receiver can tell how long they took and which are missing: all
// members share the machine's clock.
package bench

import "time"

// Say tells a person how a workload goes on. Its texts are constant formats.
type Say func(format string, args ...any)

// Result is what came out. What a workload does not measure is left out.
type Result struct {
	Workload  string  `json:"workload"`
	Nodes     int     `json:"nodes"`
	Senders   int     `json:"senders,omitzero"`
	Size      int     `json:"size"` // bytes of a text
	Transport string  `json:"transport"`
	Baseline  bool    `json:"baseline,omitzero"`
	LossRate  float64 `json:"loss,omitzero"` // share of datagrams dropped
	InFlight  int     `json:"in_flight,omitzero"`
	Events    int     `json:"events,omitzero"`  // stored before
	Missing   int     `json:"missing,omitzero"` // of them, at the one who looks for them

	*Carried
	Repaired   *int    `json:"repaired,omitzero"`   // came by sync, all members together
	Silence    float64 `json:"silence_ms,omitzero"` // longest time without a message at an undisturbed member
	SyncMS     float64 `json:"sync_ms,omitzero"`    // one write made durable on this disk
	Seconds    float64 `json:"seconds,omitzero"`
	Kilobytes  float64 `json:"kilobytes,omitzero"` // on streams, both ways
	EventsPerS float64 `json:"events_per_s,omitzero"`
	RSS        float64 `json:"rss_mb_max,omitzero"` // of the process that had most

	ReadyMS  float64 `json:"ready_ms,omitzero"`  // from starting the program after a clean end to its line ready
	KilledMS float64 `json:"killed_ms,omitzero"` // the same after a kill
	FirstMS  float64 `json:"first_ms,omitzero"`  // from starting two fresh nodes to the first message shown

	SetUpMS  float64 `json:"set_up_ms,omitzero"` // from telling all leaves of their hub until all are in their rooms
	HubCores float64 `json:"hub_cores,omitzero"` // of a processor, that the hub took while they sent
}

// Carried is how much a room or a direct chat carried, and how fast.
type Carried struct {
	// Messages a second that came by gossip to every member that was not
	// disturbed on purpose; of direct: those acknowledged.
	PerSecond float64 `json:"msgs_per_s"`
	// From the call of Send to the receiver's update, over all receivers; of
	// direct: to the acknowledgement.
	P50  float64 `json:"p50_ms"`
	P90  float64 `json:"p90_ms"`
	P99  float64 `json:"p99_ms"`
	Max  float64 `json:"max_ms"`
	Sent int     `json:"sent"`
	Lost int     `json:"lost"` // still missing after sync
	CPU  float64 `json:"cpu_us_per_delivery"`
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
