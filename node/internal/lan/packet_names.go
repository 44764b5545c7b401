//go:build linux || darwin

package lan

// packetNames: a packet sent can name its interface.
const packetNames = true
