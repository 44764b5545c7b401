package delivery

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/wire"
)

var update = flag.Bool("update", false, "write testdata/frames.json anew")

// frameVector is one request or reply, with what is in it if it is good.
type frameVector struct {
	Name     string   `json:"name"`
	What     string   `json:"what"`
	Bytes    string   `json:"bytes"`
	Valid    bool     `json:"valid"`
	Log      string   `json:"log,omitempty"`
	Want     []string `json:"want,omitempty"`
	Status   *status  `json:"status,omitempty"`
	Payloads []string `json:"payloads,omitempty"`
	Floor    uint64   `json:"floor,omitempty"`
	Heads    []string `json:"heads,omitempty"`
	Complete bool     `json:"complete,omitempty"`
	Count    uint64   `json:"count,omitempty"`
	Seq      uint64   `json:"seq,omitempty"`
}

type frameFile struct {
	About   string            `json:"about"`
	Fields  map[string]string `json:"fields"`
	Vectors []frameVector     `json:"vectors"`
}

func hexes[T ~[32]byte](ids []T) (out []string) {
	for _, id := range ids {
		out = append(out, hex.EncodeToString(id[:]))
	}
	return out
}

func framed(frames ...[]byte) (out []byte) {
	for _, f := range frames {
		out = wire.AppendFrame(out, f)
	}
	return out
}

func fetchVectors(t *testing.T) []frameVector {
	good := request{testLog, []event.ID{{2}, {0xff, 31: 1}}}
	most := request{testLog, make([]event.ID, maxWant)}
	for i := range most.want {
		most.want[i] = event.ID{byte(i), 7}
	}
	ask := func(name string, r request) frameVector {
		b := hex.EncodeToString(framed(r.encode()))
		return frameVector{Name: name, What: "fetch request", Bytes: b, Valid: true, Log: hex.EncodeToString(r.log[:]), Want: hexes(r.want)}
	}
	bad := func(name string, b []byte) frameVector {
		return frameVector{Name: name, What: "fetch request", Bytes: hex.EncodeToString(framed(b))}
	}
	b := good.encode()
	a := newAuthor(1)
	one, two := a.write(t, testTime, 1), a.write(t, testTime.Add(time.Second), 2)
	var whole bytes.Buffer
	if err := reply(&whole, [][]byte{one.Payload(), two.Payload()}); err != nil {
		t.Fatal(err)
	}
	answer := func(name string, s status, b []byte, valid bool, payloads ...string) frameVector {
		return frameVector{Name: name, What: "fetch reply", Bytes: hex.EncodeToString(b), Valid: valid, Status: &s, Payloads: payloads}
	}
	payloads := []string{hex.EncodeToString(one.Payload()), hex.EncodeToString(two.Payload())}
	return []frameVector{
		ask("two ids", good),
		ask("64 ids", most),
		bad("65 ids", (&request{testLog, make([]event.ID, maxWant+1)}).encode()),
		bad("no id", b[:34]),
		bad("log of zeroes", (&request{want: good.want}).encode()),
		bad("an id of 31 bytes", append(bytes.Clone(b[:34]), append([]byte{0x12, 31}, make([]byte, 31)...)...)),
		bad("unknown field", append(bytes.Clone(b), 0x18, 1)),
		bad("ids before the log", append(bytes.Clone(b[34:]), b[:34]...)),
		bad("length of the log in two bytes", append([]byte{0x0a, 0xa0, 0}, b[2:]...)),
		answer("two payloads", statusOK, whole.Bytes(), true, payloads...),
		answer("nothing of it is there", statusOK, framed([]byte{0}, nil), true),
		answer("not served", statusNoLog, framed([]byte{1}), true),
		answer("busy", statusBusy, framed([]byte{2}), true),
		answer("failed", statusFailed, framed([]byte{3}), true),
		answer("cut off: no empty frame at the end", statusOK, whole.Bytes()[:whole.Len()-1], false, payloads...),
	}
}

func syncVectors() []frameVector {
	ask := func(name string, r syncRequest) frameVector {
		return frameVector{
			Name: name, What: "sync request", Bytes: hex.EncodeToString(framed(r.encode())), Valid: true,
			Log: hex.EncodeToString(r.log[:]), Floor: r.floor,
		}
	}
	answer := func(name string, a syncAnswer) frameVector {
		ok := statusOK
		return frameVector{
			Name: name, What: "sync answer", Bytes: hex.EncodeToString(framed(append([]byte{0}, a.encode()...))), Valid: true,
			Status: &ok, Floor: a.floor, Heads: hexes(a.heads), Complete: a.complete, Count: a.count,
		}
	}
	bad := func(what, name string, b ...byte) frameVector {
		return frameVector{Name: name, What: what, Bytes: hex.EncodeToString(framed(b))}
	}
	log := (&syncRequest{log: testLog}).encode()
	eight := make([]event.ID, maxToldHeads)
	for i := range eight {
		eight[i] = event.ID{byte(i), 9}
	}
	return []frameVector{
		ask("keeps everything", syncRequest{log: testLog}),
		ask("keeps what is of a second or later", syncRequest{testLog, 1_700_000_000}),
		bad("sync request", "floor written as 0", append(bytes.Clone(log), 0x10, 0)...),
		bad("sync request", "unknown field", append(bytes.Clone(log), 0x18, 1)...),
		bad("sync request", "no log", 0x10, 7),
		answer("empty log, complete", syncAnswer{complete: true}),
		answer("eight heads, not complete", syncAnswer{1_700_000_000, eight, false, 12_345}),
		bad("sync answer", "nine heads", append([]byte{0}, appendIDs(nil, 2, make([]event.ID, maxToldHeads+1))...)...),
		bad("sync answer", "complete is 2", 0, 0x18, 2),
		bad("sync answer", "not served", 1),
		bad("sync answer", "no status"),
	}
}

func ackVectors() []frameVector {
	ok := statusOK
	frame := func(what, name string, b []byte) frameVector {
		return frameVector{Name: name, What: what, Bytes: hex.EncodeToString(framed(b))}
	}
	good := func(v frameVector, set func(v *frameVector)) frameVector {
		v.Valid = true
		set(&v)
		return v
	}
	request := ackRequest{testLog}.encode()
	return []frameVector{
		good(frame("ack request", "of a log", request), func(v *frameVector) { v.Log = hex.EncodeToString(testLog[:]) }),
		frame("ack request", "log of zeroes", ackRequest{}.encode()),
		frame("ack request", "no log", nil),
		frame("ack request", "unknown field", append(bytes.Clone(request), 0x10, 1)),
		good(frame("ack answer", "nothing is stored", []byte{0}), func(v *frameVector) { v.Status = &ok }),
		good(frame("ack answer", "up to 300", append([]byte{0}, ack(300).encode()...)), func(v *frameVector) { v.Status, v.Seq = &ok, 300 }),
		frame("ack answer", "not served", []byte{1}),
		frame("ack answer", "no status", nil),
		good(frame("ack", "up to 301", ack(301).encode()), func(v *frameVector) { v.Seq = 301 }),
		good(frame("ack", "up to 2^53-1", ack(1<<53-1).encode()), func(v *frameVector) { v.Seq = 1<<53 - 1 }),
		frame("ack", "0, written", []byte{0x08, 0}),
		frame("ack", "unknown field", []byte{0x08, 1, 0x10, 1}),
		frame("ack", "a number too long", []byte{0x08, 0x81, 0}),
	}
}

// TestVectorsFrames holds the bytes in testdata to the code, and the code to them.
//
// spec: 04-delivery M11, M13, M14, M22, M24
// spec: 06-sync M2, M3, M4
func TestVectorsFrames(t *testing.T) {
	const file = "testdata/frames.json"
	var made bytes.Buffer
	e := json.NewEncoder(&made)
	e.SetIndent("", "  ")
	if err := e.Encode(frameFile{
		About: "What goes over streams of fetch, acks and sync. docs/protocol/04-delivery.md §6 and §8, 06-sync.md §2",
		Fields: map[string]string{
			"what": "fetch request, fetch reply, sync request, sync answer, ack request, ack answer, ack", "bytes": "hex, as they go over the stream, lengths in front",
			"valid": "false: reset the stream or break it off", "status": "first byte of a reply or answer",
			"payloads": "hex, of a reply that is read to its end or cut off", "log": "hex, as are want and heads",
			"floor": "seconds; absent: 0, as with all below", "seq": "of an acknowledgement",
		},
		Vectors: slices.Concat(fetchVectors(t), syncVectors(), ackVectors()),
	}); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, made.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kept, made.Bytes()) {
		t.Fatalf("%s differs from what the code makes: a change of the protocol, or run with -update", file)
	}
	var f frameFile
	if err := json.Unmarshal(kept, &f); err != nil {
		t.Fatal(err)
	}
	for _, v := range f.Vectors {
		b, err := hex.DecodeString(v.Bytes)
		if err == nil {
			err = v.read(bufio.NewReader(bytes.NewReader(b)))
		}
		if (err == nil) != v.Valid {
			t.Errorf("%s, %s: %v", v.What, v.Name, err)
		}
	}
}

// read takes the bytes of a vector as the side that gets them does.
func (v *frameVector) read(in *bufio.Reader) error {
	switch v.What {
	case "fetch request":
		b, err := wire.ReadFrame(in, maxRequest)
		if err == nil {
			_, err = decodeRequest(b)
		}
		return err
	case "sync request":
		b, err := wire.ReadFrame(in, maxSyncRequest)
		if err == nil {
			_, err = decodeSyncRequest(b)
		}
		return err
	case "ack request":
		b, err := wire.ReadFrame(in, maxAckRequest)
		if err == nil {
			_, err = decodeAckRequest(b)
		}
		return err
	case "ack", "ack answer":
		b, err := wire.ReadFrame(in, 1+maxAck)
		if err == nil && v.What == "ack answer" {
			b, err = statusOf(b)
		}
		var a ack
		if err == nil {
			a, err = decodeAck(b)
		}
		if err == nil && uint64(a) != v.Seq {
			err = errReply
		}
		return err
	case "sync answer":
		b, err := readStatus(in, maxSyncAnswer)
		if err == nil {
			_, err = decodeSyncAnswer(b)
		}
		return err
	}
	return v.readReply(in)
}

func (v *frameVector) readReply(in *bufio.Reader) error {
	if _, err := readStatus(in, 1); !errors.Is(err, statusError(*v.Status)) {
		return err
	} else if err != nil { // it ends here, and well
		if _, err := in.ReadByte(); err != io.EOF {
			return errReply
		}
		return nil
	}
	var want []event.ID
	for _, p := range v.Payloads {
		payload, err := hex.DecodeString(p)
		if err != nil {
			return err
		}
		b, err := event.Decode(payload)
		if err != nil {
			return err
		}
		want = append(want, b.Events[0].ID)
	}
	n := 0
	_, err := (&Log{id: testLog}).readReply(in, want, func(b *event.Batch) error {
		if n++; hex.EncodeToString(b.Payload()) != v.Payloads[n-1] {
			return errReply
		}
		return nil
	})
	return err
}
