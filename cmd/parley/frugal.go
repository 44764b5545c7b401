package main

import (
	"math"
	"runtime/debug"
)

// What --light asks of Go's garbage collector. The rest of a node's memory are
// files it has mapped, which the system takes back when it needs to.
const (
	lightHeap    = 40 << 20 // bytes of Go's own memory beyond which it works harder
	lightPercent = 50       // by how much of the living the heap grows before it works at all
)

// frugal keeps a node in little memory. GOMEMLIMIT and GOGC have the last word.
func frugal(getenv func(string) string) {
	if getenv("GOMEMLIMIT") == "" && debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(lightHeap)
	}
	if getenv("GOGC") == "" {
		debug.SetGCPercent(lightPercent)
	}
}
