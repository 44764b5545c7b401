//go:build !linux && !darwin

package lan

// packetNames: the socket is told the interface before each packet.
const packetNames = false
