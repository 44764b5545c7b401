package event

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

type logVector struct {
	Name    string `json:"name"`
	Network string `json:"network"`
	Kind    byte   `json:"kind"`
	Seed    string `json:"seed"`
	Log     string `json:"log"`
}

// spec: 03-events M3
func TestVectorsLogs(t *testing.T) {
	network := [32]byte(le("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"))
	low, high, random := Author{0x01, 31: 0xff}, Author{0x02}, [16]byte{0xaa, 15: 0xbb}
	made := func(name string, kind LogKind, seed []byte, log LogID) logVector {
		want := tagged("parley/log/1", network[:], []byte{byte(kind)}, seed)
		if log != want {
			t.Errorf("%s: %s, not SHA-256 of its parts", name, log)
		}
		return logVector{name, hex.EncodeToString(network[:]), byte(kind), hex.EncodeToString(seed), log.String()}
	}
	both := append(low[:], high[:]...)
	kept := keep(t, "logs.json", vectorFile[logVector]{
		About: "Log IDs. docs/protocol/03-events.md",
		Fields: map[string]string{
			"network": "hex, network ID", "kind": "1 public room, 2 private room, 3 direct, 4 registry",
			"seed": "hex", "log": "hex of SHA-256(\"parley/log/1\", network, kind in one byte, seed)",
		},
		Vectors: []logVector{
			made("public room lobby", LogPublicRoom, []byte("lobby"), PublicRoomLog(network, "lobby")),
			made("public room of four characters outside ASCII", LogPublicRoom, []byte("休憩室é"), PublicRoomLog(network, "休憩室é")),
			made("private room: creator, 16 random bytes", LogPrivateRoom, append(high[:], random[:]...), PrivateRoomLog(network, high, random)),
			made("direct chat: accounts bytewise ascending", LogDirect, both, DirectLog(network, low, high)),
			made("direct chat with oneself", LogDirect, append(low[:], low[:]...), DirectLog(network, low, low)),
			made("registry", LogRegistry, nil, RegistryLog(network)),
		},
	})
	if len(kept) == 0 {
		t.Error("no vectors")
	}
	if DirectLog(network, high, low) != DirectLog(network, low, high) {
		t.Error("a direct log depends on the order of the two")
	}
}

type roomVector struct {
	Input string `json:"input"`
	Key   string `json:"key"`
}

// spec: 03-events M4, M5
func TestVectorsRooms(t *testing.T) {
	inputs := []string{
		"lobby", "Lobby", "  LOBBY ", "Coffee   Break", "Coffee\u3000Break", "Ｌｏｂｂｙ", "Straße", "STRASSE", "Ångström", "ångström",
		"ΣΊΣΥΦΟΣ", "İstanbul", "休憩室", "ﬃx", "中 文", "a@b", "a/b", "🙂", strings.Repeat("é", 64), strings.Repeat("ﬃ", 21),
		"", "   ", "\u3000", "@lobby", "＠lobby", "#lobby", "-lobby", "/lobby", " /lobby", "lob\x00by", "a\tb", "a\nb", "a\u200bb", "a\ufffeb", "\xff",
		strings.Repeat("a", 65), strings.Repeat("é", 65), strings.Repeat("ﬃ", 22),
	}
	var made []roomVector
	for _, in := range inputs {
		key, err := RoomKey(in)
		if err != nil && (!errors.Is(err, ErrRoomName) || key != "") {
			t.Errorf("%q: %q, %v", in, key, err)
		}
		if !strings.Contains(in, "\xff") { // JSON cannot carry it
			made = append(made, roomVector{in, key})
		}
	}
	kept := keep(t, "rooms.json", vectorFile[roomVector]{
		About: "Comparison keys of room names: RFC 8266 Nickname, 1 to 64 characters. docs/protocol/03-events.md",
		Fields: map[string]string{
			"input": "what a person typed", "key": "comparison key, UTF-8; empty = not a room name",
		},
		Vectors: made,
	})
	for _, v := range kept {
		key, _ := RoomKey(v.Input)
		if key != v.Key {
			t.Errorf("%q: %q, want %q", v.Input, key, v.Key)
		}
		if again, _ := RoomKey(key); key != "" && again != key {
			t.Errorf("%q: the key %q has another key, %q", v.Input, key, again)
		}
	}
}

func TestRoomKeyBoundsItsInput(t *testing.T) {
	if _, err := RoomKey(strings.Repeat(" ", 1<<20) + "a"); !errors.Is(err, ErrRoomName) {
		t.Error(err)
	}
}
