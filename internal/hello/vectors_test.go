package hello

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The vectors in testdata are for other implementations. They change only by
// go test ./internal/hello -run Vectors -update, and the difference is reviewed.
var update = flag.Bool("update", false, "rewrite the vectors in testdata")

type vectorFile[V any] struct {
	About   string            `json:"about"`
	Fields  map[string]string `json:"fields"`
	Vectors []V               `json:"vectors"`
}

// keep compares the file with what the code makes today, or writes it when asked, and
// returns what the file says.
func keep[V any](t *testing.T, name string, want vectorFile[V]) []V {
	t.Helper()
	var made bytes.Buffer
	e := json.NewEncoder(&made)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(want); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, made.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kept, made.Bytes()) {
		t.Fatalf("%s differs from what the code makes: a change of the protocol, or run with -update", path)
	}
	var file vectorFile[V]
	if err := json.Unmarshal(kept, &file); err != nil {
		t.Fatal(err)
	}
	return file.Vectors
}

type sideVector struct {
	PeerID   string         `json:"peer_id"`
	Secrets  []secretVector `json:"secrets"`
	Nonce    string         `json:"nonce"`
	Min      uint32         `json:"version_min"`
	Max      uint32         `json:"version_max"`
	Features uint64         `json:"features"`
	Role     Role           `json:"role"`
	Clock    int64          `json:"clock_ms"`
}

type secretVector struct {
	Epoch uint64 `json:"epoch"`
	Key   string `json:"key"`
}

type handshakeVector struct {
	Name      string     `json:"name"`
	Network   string     `json:"network"`
	Initiator sideVector `json:"initiator"`
	Responder sideVector `json:"responder"`
	Messages  [4]string  `json:"messages"`
	Version   uint32     `json:"version"`
	Features  uint64     `json:"features"`
	Epoch     uint64     `json:"epoch"`
}

func side(c Config, clock time.Time) sideVector {
	v := sideVector{
		PeerID: hex.EncodeToString(c.Local), Nonce: hex.EncodeToString(c.Nonce[:]),
		Min: c.Min, Max: c.Max, Features: c.Features, Role: c.Role, Clock: clock.UnixMilli(),
	}
	for _, s := range c.Secrets {
		v.Secrets = append(v.Secrets, secretVector{s.Epoch, hex.EncodeToString(s.Key[:])})
	}
	return v
}

// spec: 02-hello M10, M17
func TestVectorsHandshakes(t *testing.T) {
	var made []handshakeVector
	add := func(name string, initiator, responder []Secret, change func(a, b *Config)) {
		a, b := pair()
		a.Secrets, b.Secrets = initiator, responder
		a.Min, a.Max, b.Min, b.Max, a.Role, b.Role = 1, 1, 1, 1, RoleNode, RoleNode
		change(&a, &b)
		o := play(t, a, b, nil)
		if !o.initDone || !o.respDone {
			t.Fatal(name, o.initErr, o.respErr)
		}
		v := handshakeVector{
			Name: name, Network: hex.EncodeToString(a.Network[:]),
			Initiator: side(a, start), Responder: side(b, start.Add(20*time.Millisecond)),
			Version: o.initiator.Version, Features: o.initiator.Features, Epoch: o.initiator.Epoch,
		}
		for n, m := range o.messages {
			v.Messages[n] = hex.EncodeToString(m)
		}
		made = append(made, v)
	}
	add("closed network, one secret", []Secret{secret1}, []Secret{secret1}, func(_, _ *Config) {})
	add("newest common epoch is 2", []Secret{secret3, secret2, secret1}, []Secret{secret2, secret1}, func(_, _ *Config) {})
	add("open network", []Secret{Open(testNetwork)}, []Secret{Open(testNetwork)}, func(_, _ *Config) {})
	add("versions, features and a registrar", []Secret{secret1}, []Secret{secret1}, func(a, b *Config) {
		a.Min, a.Max, b.Min, b.Max = 1, 4, 2, 3
		a.Features, b.Features, b.Role = 0b110, 0b011, RoleRegistrar
	})
	eight := make([]Secret, MaxEpochs)
	for i := range eight {
		eight[i] = Secret{Epoch: uint64(i + 1), Key: [32]byte{byte(i + 1)}}
	}
	add("eight epochs, of which the other knows one", eight, []Secret{eight[3], {Epoch: 9, Key: [32]byte{9}}}, func(_, _ *Config) {})
	kept := keep(t, "handshakes.json", vectorFile[handshakeVector]{
		About: "Whole handshakes. Given these sides an implementation makes these messages. docs/protocol/02-hello.md",
		Fields: map[string]string{
			"network": "hex, network ID", "peer_id": "hex, binary peer ID", "secrets": "epochs with their keys in hex; epoch 0 = open network",
			"nonce": "hex", "role": "1 node, 2 registrar", "clock_ms": "Unix milliseconds when the side writes its first message",
			"messages": "hex, without length prefix: hello, challenge, proof, acknowledgement",
			"version":  "what both agree on, and features and epoch likewise",
		},
		Vectors: made,
	})
	for _, v := range kept {
		o := play(t, v.Initiator.config(t, v.Network, v.Responder), v.Responder.config(t, v.Network, v.Initiator), nil)
		for n, m := range o.messages {
			if hex.EncodeToString(m) != v.Messages[n] {
				t.Errorf("%s: another message %d", v.Name, n+1)
			}
		}
	}
}

// config reads a side back from a file.
func (v sideVector) config(t *testing.T, network string, other sideVector) Config {
	t.Helper()
	c := Config{
		Network: [32]byte(unhex(t, network)), Local: unhex(t, v.PeerID), Remote: unhex(t, other.PeerID),
		Nonce: [NonceSize]byte(unhex(t, v.Nonce)), Min: v.Min, Max: v.Max, Features: v.Features, Role: v.Role,
	}
	for _, s := range v.Secrets {
		c.Secrets = append(c.Secrets, Secret{s.Epoch, [32]byte(unhex(t, s.Key))})
	}
	return c
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type refusedVector struct {
	Name    string `json:"name"`
	Step    int    `json:"step"`
	Message string `json:"message"`
	Reason  string `json:"reason"`
}

// refused are messages that come at their step of the first handshake of handshakes.json.
func refused(good [][]byte) []refusedVector {
	var out []refusedVector
	add := func(step int, name, reason string, m []byte) {
		out = append(out, refusedVector{name, step, hex.EncodeToString(m), reason})
	}
	h, c := helloBody(), challengeBody()
	add(1, "empty", "form", nil)
	add(1, "a challenge", "form", good[1])
	add(1, "no body", "form", enc(field{1, uint64(1)}))
	add(1, "no step", "form", enc(field{2, enc(h...)}))
	add(1, "nonce of 31 bytes", "form", first(with(h, 1, make([]byte, 31))))
	add(1, "no nonce", "form", first(without(h, 1)))
	add(1, "no role", "form", first(without(h, 6)))
	add(1, "no clock", "form", first(without(h, 7)))
	add(1, "clock of 49 bits", "form", first(with(h, 7, uint64(1<<48))))
	add(1, "version of 33 bits", "form", first(with(h, 4, uint64(1<<32))))
	add(1, "nine epochs", "form", first(with(h, 8, []byte{1, 2, 3, 4, 5, 6, 7, 8, 9})))
	add(1, "epochs cut short", "form", first(with(h, 8, []byte{0x80})))
	add(1, "nonce as a number", "form", first(with(h, 1, uint64(5))))
	add(1, "role as bytes", "form", first(with(h, 6, []byte{1})))
	add(1, "role twice", "form", first(append(h, field{6, uint64(1)})))
	add(1, "cut short", "form", good[0][:len(good[0])-1])
	add(1, "1025 bytes", "too_large", append(first(h), enc(field{99, make([]byte, MaxMessage+1-len(first(h))-4)})...))
	add(1, "the responder's own nonce", "reflected",
		first(with(with(h, 1, bytes.Repeat([]byte{0xb2}, 32)), 2, slowMark(testNetwork, bytes.Repeat([]byte{0xb2}, 32)))))
	add(1, "mark of another network", "network", first(with(h, 2, slowMark([32]byte{9}, h[0].v.([]byte)))))
	add(1, "mark of another nonce", "network", first(with(h, 2, slowMark(testNetwork, make([]byte, 32)))))
	add(1, "no network mark", "network", first(without(h, 2)))
	add(1, "later versions only", "version", first(with(with(h, 3, uint64(2)), 4, uint64(3))))
	add(1, "lowest version above highest", "version", first(with(h, 3, uint64(2))))
	add(1, "no versions", "version", first(without(without(h, 3), 4)))
	add(1, "tickets only", "method", first(with(h, 9, uint64(2))))
	add(1, "no method", "method", first(without(h, 9)))
	add(1, "other epochs", "epoch", first(with(h, 8, []byte{2, 3})))
	add(1, "no epochs", "epoch", first(without(h, 8)))
	add(1, "epoch of open networks", "epoch", first(with(h, 8, []byte{0})))
	add(2, "the initiator's own hello", "reflected", good[0])
	add(2, "the initiator's own nonce", "reflected", second(with(c, 1, h[0].v)))
	add(2, "an acknowledgement", "form", good[3])
	add(2, "version not offered", "version", second(with(c, 10, uint64(2))))
	add(2, "no version", "version", second(without(c, 10)))
	add(2, "method not offered", "method", second(with(c, 12, uint64(2))))
	add(2, "epoch not offered", "epoch", second(with(c, 11, uint64(2))))
	add(2, "epoch of open networks", "epoch", second(without(c, 11)))
	add(2, "proof of another body", "proof", enc(field{1, uint64(2)}, field{2, enc(with(c, 5, uint64(1))...)}, field{3, proofOf(good[1])}))
	add(2, "no proof", "proof", enc(field{1, uint64(2)}, field{2, enc(c...)}))
	add(3, "proof of the challenge", "proof", enc(field{1, uint64(3)}, field{3, proofOf(good[1])}))
	add(3, "no proof", "proof", enc(field{1, uint64(3)}))
	add(3, "right proof, but a body it does not cover", "proof", enc(field{1, uint64(3)}, field{2, []byte{1}}, field{3, proofOf(good[2])}))
	add(3, "the hello again", "form", good[0])
	add(4, "proof of the initiator", "proof", enc(field{1, uint64(4)}, field{3, proofOf(good[2])}))
	add(4, "no proof", "proof", enc(field{1, uint64(4)}))
	add(4, "the challenge again", "form", good[1])
	return out
}

// proofOf returns the proof in a message.
func proofOf(b []byte) []byte {
	var m message
	if err := parse(b, &m); err != nil {
		panic(err)
	}
	return m.proof
}

// spec: 02-hello M7, M8, M10, M15, M16
func TestVectorsRefused(t *testing.T) {
	a, b := pair(secret1)
	kept := keep(t, "refused.json", vectorFile[refusedVector]{
		About: "Messages that end a handshake. Each takes the place of one message of the first handshake in handshakes.json. docs/protocol/02-hello.md",
		Fields: map[string]string{
			"step": "which message it replaces, 1 to 4", "message": "hex, without length prefix",
			"reason": "what the receiver counts; the sender is told nothing",
		},
		Vectors: refused(play(t, a, b, nil).messages),
	})
	for _, v := range kept {
		m := unhex(t, v.Message)
		o := play(t, a, b, func(n int, honest []byte) []byte {
			if n == v.Step-1 {
				return m
			}
			return honest
		})
		failed, other := o.respErr, o.initErr
		if v.Step%2 == 0 {
			failed, other = other, failed
		}
		if Reason(failed) != v.Reason || other != nil {
			t.Errorf("step %d, %s: %v, %v", v.Step, v.Name, failed, other)
		}
	}
}
