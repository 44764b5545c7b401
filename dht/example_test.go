package dht_test

import (
	"fmt"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/dht"
)

// Nodes of one zone share the first half of their short addresses.
func ExampleShortAddress() {
	ada, _ := peer.Decode("12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5")
	bo, _ := peer.Decode("12D3KooWJ9RbmRVzKd4QMv5SvyFBP1jVPEVb1W8BR3bF8mQxSWnV")
	a, b := dht.ShortAddress("hq/2/rack 7", ada), dht.ShortAddress("hq/2/rack 7", bo)
	fmt.Println(a>>32 == b>>32, a == b)
	// Output: true false
}
