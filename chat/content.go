package chat

import "github.com/parley-chat/parley/internal/delivery"

// Content is what a message says. Make one with Text or Custom.
type Content struct {
	// Type is "text" or an application's own content type, such as
	// "com.example.reading"; at most 128 bytes.
	Type string
	// Data is the application's own bytes; nil for text.
	Data []byte
	// Fallback is the text itself, or what a program that does not know Type
	// shows instead of Data.
	Fallback string

	key string // Once
}

// MaxKey bounds the key of Once, in bytes.
const MaxKey = delivery.MaxKey

// Once returns the content with a key of the caller's own, at most 64 bytes.
// Sent again with the same key in the same room or direct chat within a week,
// also after the program was killed in between, nothing is sent and the first
// one's id is returned. Without a key, or with an empty one, each is sent.
func (c Content) Once(key string) Content {
	c.key = key
	return c
}

// TextType is the content type of plain text.
const TextType = "text"

// Text is plain text content.
func Text(s string) Content { return Content{Type: TextType, Fallback: s} }

// Custom is content of an application's own type. Programs that do not know
// the type show fallback.
func Custom(typ string, data []byte, fallback string) Content {
	return Content{Type: typ, Data: data, Fallback: fallback}
}
