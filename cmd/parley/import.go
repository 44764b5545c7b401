package main

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/api"
	"github.com/parley-chat/parley/api/client"
	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/cmd/parley/internal/show"
	"github.com/parley-chat/parley/internal/exportfile"
)

// toldRefusals is how many refused lines are told one by one.
const toldRefusals = 100

// imported is what import prints.
type imported struct {
	Rooms   []string `json:"rooms"`
	New     uint64   `json:"new"`
	Known   uint64   `json:"known"`
	Refused uint64   `json:"refused"`
}

func (a *app) importCommand() *cobra.Command {
	return a.command(&cobra.Command{
		Use:   "import FILE",
		Short: a.text.T("take in what export wrote, from a file or, with -, from standard input"),
		Long:  a.text.T("verify the events of an export and store those that are new. A line that is refused is told with its number, and the others are taken; the exit status is then 1. A room that is not joined is not joined by it: its history can be read."),
		Example: `  parley import lobby.jsonl
  zcat lobby.jsonl.gz | parley import -`,
		Args: a.args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in := a.in
			if args[0] != "-" {
				f, err := os.Open(args[0])
				if err != nil {
					return errFile.With(err)
				}
				defer f.Close()
				in = f
			}
			return a.withNode(cmd, func(ctx context.Context, c *client.Client) error {
				return a.importFrom(ctx, c, in)
			})
		},
	})
}

// importFrom imports and says what came of it. It returns errReported if
// anything was refused.
func (a *app) importFrom(ctx context.Context, c *client.Client, in io.Reader) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	im := &importing{a: a, c: c, r: exportfile.NewReader(in), progress: a.progress()}
	err := im.run(ctx)
	im.progress.end()
	if err != nil {
		return err
	}
	if im.untold > 0 {
		if err := a.note("… and %d lines more", im.untold); err != nil {
			return err
		}
	}
	if err := im.print(ctx); err != nil {
		return err
	}
	if im.told > 0 || im.refused > 0 || im.cut {
		return errReported
	}
	return nil
}

// importing is one run of the command. A file has mostly one head: the events
// after each go to the node in one call.
type importing struct {
	a        *app
	c        *client.Client
	r        *exportfile.Reader
	progress *progress

	rooms               []string
	new, known, refused uint64
	told                int    // refusals that were told
	untold              uint64 // those beyond

	call     *importCall // nil before a head, and after one that was refused
	events   uint64      // lines of events since the last end
	open     bool        // a head has come, and no end after it
	cut      bool        // lines are missing
	headless bool        // that events have no head was told
}

func (im *importing) run(ctx context.Context) error {
	for {
		rec, err := im.r.Next()
		var bad *exportfile.LineError
		switch {
		case errors.Is(err, io.EOF):
			if im.open {
				im.cut = true
			}
			return errors.Join(im.finish(), im.tellCut())
		case errors.As(err, &bad):
			im.events++
			if err := im.broken(bad.Err); err != nil {
				return err
			}
		case err != nil:
			return errors.Join(errFile.With(err), im.finish())
		default:
			if err := im.record(ctx, rec); err != nil {
				return err
			}
		}
	}
}

func (im *importing) record(ctx context.Context, rec exportfile.Record) error {
	switch {
	case rec.Head != nil:
		if err := im.finish(); err != nil {
			return err
		}
		im.open, im.headless = true, false
		return im.begin(ctx, rec.Head)
	case rec.End != nil:
		if *rec.End != im.events {
			im.cut = true
		}
		im.events, im.open = 0, false
		return nil
	}
	im.events++
	im.progress.at(im.events)
	if im.call == nil { // its head was refused
		im.refused++
		return nil
	}
	if im.call.send(im.r.Line(), rec.Payload) {
		return nil
	}
	return im.finish() // the node has ended the call, and says why
}

// broken refuses a line whose form is wrong. What has no head is told once.
func (im *importing) broken(err error) error {
	if errors.Is(err, exportfile.ErrNoHead) {
		if im.headless {
			im.refused++
			return nil
		}
		im.headless = true
	}
	if errors.Is(err, exportfile.ErrVersion) { // nor do those after it have a head
		im.headless = true
	}
	return im.refuse(im.r.Line(), im.words(err))
}

// words says what is wrong with the form of a line.
func (im *importing) words(err error) error {
	t := im.a.text.T
	what, do := t("it is not a line of an export"), t("export it again: the file was changed or damaged")
	switch {
	case errors.Is(err, exportfile.ErrTooLong):
		what = t("it is too long")
	case errors.Is(err, exportfile.ErrVersion):
		what, do = t("the export was written by a newer Parley"), t("update Parley")
	case errors.Is(err, exportfile.ErrID):
		what = t("the id is not that of its header")
	case errors.Is(err, exportfile.ErrNoHead):
		what = t("no line before it says of which room it is")
	}
	return im.a.said(errLine, what, do)
}

// refuse counts a line that is not taken and tells why.
func (im *importing) refuse(line int, err error) error {
	im.refused++
	return im.tell(line, err)
}

// tell says what is wrong with a line, of the first so many.
func (im *importing) tell(line int, err error) error {
	if im.told == toldRefusals {
		im.untold++
		return nil
	}
	im.told++
	im.progress.end()
	return im.a.note("parley: line %d: %s", line, im.a.say(err))
}

func (im *importing) tellCut() error {
	if !im.cut {
		return nil
	}
	return im.a.note("parley: %s", im.a.say(errCut))
}

// print says what came of it, and how to take part in a room that is not joined.
func (im *importing) print(ctx context.Context) error {
	err := im.a.print(imported{orEmpty(im.rooms), im.new, im.known, im.refused},
		"%d events are new, %d were known, %d refused", im.new, im.known, im.refused)
	if err != nil || im.a.json {
		return err
	}
	res, err := im.c.ListRooms(ctx, &v1.ListRoomsRequest{})
	if err != nil {
		return err
	}
	for _, name := range im.rooms {
		joined := slices.ContainsFunc(res.GetRooms(), func(r *v1.Room) bool { return roomKey(r.GetRoom()) == roomKey(name) })
		if joined {
			continue
		}
		err := im.a.note("you are not in the room %q: its history can be read; take part with: %s",
			show.Clean(name), im.a.typed("join "+quote(name)))
		if err != nil {
			return err
		}
	}
	return nil
}

// importCall is one call of the node's Import.
type importCall struct {
	stream  *connect.BidiStreamForClientSimple[v1.ImportRequest, v1.ImportResponse]
	head    int           // line of the head
	room    string        // that it names
	lines   chan int      // of the payloads that are under way
	unsent  uint64        // payloads that came too late
	ended   chan struct{} // closed when the node answers no more
	answers answers       // whole when ended is closed
}

// answers is what the node said to a call, and how it ended.
type answers struct {
	new, known uint64
	refused    []refusedLine // a bounded number
	more       uint64        // refused and not among them
	err        error
}

type refusedLine struct {
	line  int
	fault error
}

// underWayImport bounds the events sent and not answered; it is more than the
// node takes before it answers.
const underWayImport = 1 << 16

func (im *importing) begin(ctx context.Context, h *exportfile.Head) error {
	stream, err := im.c.Import(ctx)
	if err != nil {
		return err
	}
	im.call = &importCall{
		stream: stream, head: im.r.Line(), room: h.Room, lines: make(chan int, underWayImport), ended: make(chan struct{}),
	}
	go im.call.read()                                       // ends with the stream; finish waits for it
	_ = stream.Send(&v1.ImportRequest{Origin: originOf(h)}) // if it fails, the answer says why
	return nil
}

// send reports false when the node has ended the call.
func (c *importCall) send(line int, payload []byte) bool {
	select {
	case c.lines <- line:
		return c.stream.Send(&v1.ImportRequest{Payload: payload}) == nil
	case <-c.ended:
		c.unsent++
		return false
	}
}

// read gathers the answers until the call ends.
func (c *importCall) read() {
	defer close(c.ended)
	all, done := &c.answers, uint64(0)
	for {
		res, err := c.stream.Receive()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				all.err = err
			}
			return
		}
		all.new += res.GetNew()
		all.known += res.GetKnown()
		refused := res.GetRefused()
		for ; done < res.GetDone(); done++ {
			line := <-c.lines
			if len(refused) == 0 || refused[0].GetIndex() != done {
				continue
			}
			if len(all.refused) < toldRefusals {
				all.refused = append(all.refused, refusedLine{line, api.Restore(refused[0].GetFault())})
			} else {
				all.more++
			}
			refused = refused[1:]
		}
	}
}

// finish ends the call under way and takes its answers in.
func (im *importing) finish() error {
	c := im.call
	if c == nil {
		return nil
	}
	im.call = nil
	_ = c.stream.CloseRequest() // if it fails, the answer says why
	<-c.ended
	got := c.answers
	im.new += got.new
	im.known += got.known
	for _, r := range got.refused {
		if err := im.refuse(r.line, r.fault); err != nil {
			return err
		}
	}
	im.refused += got.more
	im.untold += got.more
	if errors.Is(got.err, chat.ErrOtherNetwork) { // there may be more heads
		im.refused += uint64(len(c.lines)) + c.unsent
		return im.tell(c.head, got.err)
	}
	if got.err == nil && got.new+got.known > 0 && !slices.Contains(im.rooms, c.room) {
		im.rooms = append(im.rooms, c.room)
	}
	return got.err
}
