package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"connectrpc.com/connect"

	"github.com/parley-chat/parley/api"
	"github.com/parley-chat/parley/api/client"
	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/cmd/parley/internal/show"
	"github.com/parley-chat/parley/internal/fault"
)

const (
	// underWay bounds the lines sent and not answered; reading waits beyond.
	underWay = 4096

	// keepLine is how much of a line is kept, in bytes. It is more than any
	// message may have, so a longer line is refused for its length.
	keepLine = 96 << 10
)

type sendStream = connect.BidiStreamForClientSimple[v1.SendMessagesRequest, v1.SendMessagesResponse]

// sendLines sends each line of standard input and prints an id for each, in
// their order. A line that cannot be sent is told and the others go on, unless
// the node itself is in trouble.
func (a *app) sendLines(ctx context.Context, c *client.Client, to target, key string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.SendMessages(ctx)
	if err != nil {
		return err
	}
	numbers := make(chan int, underWay) // of the lines sent, for what is told
	input := make(chan error, 1)
	go func() { // ends with its input, or with the process when that never ends
		input <- a.feed(ctx, to, key, stream, numbers)
	}()
	failed, err := a.printSent(stream, numbers)
	if err != nil {
		return err
	}
	if err := <-input; err != nil {
		return err
	}
	if failed {
		return errReported
	}
	return nil
}

// feed sends the lines and closes the sending half. It returns errReported if
// it left one out.
func (a *app) feed(ctx context.Context, to target, key string, stream *sendStream, numbers chan<- int) (result error) {
	defer stream.CloseRequest()
	r := bufio.NewReaderSize(a.in, keepLine)
	for n := 1; ; n++ {
		line, err := readLine(r)
		switch {
		case len(bytes.TrimSpace(line)) == 0:
		case !utf8.Valid(line):
			result = errReported
			if err := a.lineFailed(n, errNotText); err != nil {
				return err
			}
		default:
			select {
			case numbers <- n:
			case <-ctx.Done():
				return ctx.Err()
			}
			req := &v1.SendMessagesRequest{Room: to.room, Direct: to.direct, Text: string(line)}
			if key != "" {
				req.IdempotencyKey = fmt.Sprintf("%s/%d", key, n)
			}
			if err := stream.Send(req); errors.Is(err, io.EOF) {
				return nil // receiving tells why
			} else if err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return result
		}
		if err != nil {
			return errInput.With(err)
		}
	}
}

// readLine returns the next line without its end, and at most keepLine of it.
func readLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		line = bytes.Clone(line)
		for range utf8.UTFMax - 1 { // the cut may have gone through a character
			if r, n := utf8.DecodeLastRune(line); r == utf8.RuneError && n == 1 {
				line = line[:len(line)-1]
			}
		}
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = r.ReadSlice('\n')
		}
		return line, err
	}
	return bytes.TrimRight(line, "\r\n"), err
}

// printSent prints the answers until the stream ends.
func (a *app) printSent(stream *sendStream, numbers <-chan int) (failed bool, err error) {
	out := bufio.NewWriter(a.out)
	defer out.Flush()
	for {
		res, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			return failed, out.Flush()
		}
		if err != nil {
			return failed, err
		}
		n := <-numbers
		if res.GetFault() != nil {
			failed = true
			if err := a.lineFailed(n, api.Restore(res.GetFault())); err != nil {
				return failed, err
			}
			continue
		}
		if err := a.printID(out, res.GetId()); err != nil {
			return failed, err
		}
		if len(numbers) > 0 {
			continue // more is under way
		}
		if err := out.Flush(); err != nil {
			return failed, err
		}
	}
}

func (a *app) printID(w io.Writer, id string) error {
	if a.json {
		return show.JSON(w, sent{id})
	}
	_, err := fmt.Fprintln(w, id)
	return err
}

// lineFailed tells why a line was not sent, or returns the fault when the
// lines after it would fail like it.
func (a *app) lineFailed(n int, f *fault.Error) error {
	if f.Blame != fault.User {
		return f
	}
	return a.note("parley: line %d: %s", n, a.say(f))
}
