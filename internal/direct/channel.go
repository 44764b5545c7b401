package direct

import (
	"bufio"
	"io"

	"github.com/parley-chat/parley/internal/wire"
)

// channel carries the frames of a pair over one stream, in order. It is the
// place of a ratchet: one that seals each frame takes the place of plain, and
// nothing above or below it changes.
type channel interface {
	// read returns the next frame, which is the caller's, at most maxFrame bytes.
	read() ([]byte, error)
	// write queues a frame; flush sends what is queued. One goroutine calls them.
	write(frame []byte) error
	flush() error
}

// plain carries frames as they are: the stream is under Noise.
type plain struct {
	in  *bufio.Reader
	out *bufio.Writer
}

func newPlain(s io.ReadWriter) *plain {
	return &plain{bufio.NewReaderSize(s, 64<<10), bufio.NewWriterSize(s, 60<<10)}
}

func (c *plain) read() ([]byte, error)    { return wire.ReadFrame(c.in, maxFrame) }
func (c *plain) write(frame []byte) error { return wire.WriteFrame(c.out, frame) }
func (c *plain) flush() error             { return c.out.Flush() }
