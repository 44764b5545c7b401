package chat

import "github.com/parley-chat/parley/internal/delivery"

// Content is what a message says. Make one with Text or Custom.
type Content struct {
	// Type is TextType or an application's own content type, such as
	// "com.example.reading": 1 to 64 printable ASCII characters without spaces.
	Type string
	// Data is the application's own bytes; nil for text.
	Data []byte
	// Fallback is the text itself, or what a program that does not know Type
	// shows instead of Data; UTF-8. Content needs one of the two, and Type, Data
	// and Fallback have together a little less than 64 KiB.
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

// Text is plain text content, UTF-8. It may be of several lines and hold any
// character: who shows a message makes control characters harmless.
func Text(s string) Content { return Content{Type: TextType, Fallback: s} }

// Custom is content of an application's own type. Programs that do not know
// the type show fallback, which should say to a person what data says to the
// application: "21.5 °C". Choose a type that nobody else takes, as by a domain
// name turned round, and doubt what comes: anyone in a room may send any type.
func Custom(typ string, data []byte, fallback string) Content {
	return Content{Type: typ, Data: data, Fallback: fallback}
}
