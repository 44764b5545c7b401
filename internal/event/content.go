package event

import (
	"fmt"
	"unicode/utf8"
)

// What the payloads of the known kinds hold. Fields are strict as everywhere; those
// numbered above the known ones are skipped, so that an older Parley still shows the
// text of a newer one. spec: 03-events §4.2

// Field numbers of a message and a profile.
const (
	fieldType     = 1
	fieldData     = 2
	fieldFallback = 3

	fieldNick = 1
)

// Limits of contents, in bytes unless said otherwise. spec: 03-events §4.2
const (
	MaxType      = 64
	MaxNick      = 256
	MaxNickChars = 64 // code points
)

// TypeText is the type of a message whose Data is UTF-8 text.
const TypeText = "text"

// Message is the payload of a KindMessage event.
type Message struct {
	Type     string // TypeText or an app's own: 1 to MaxType printable ASCII characters, no space
	Data     []byte // the text, or what the app defined
	Fallback string // UTF-8 text for those who do not know Type; empty for TypeText
}

// Profile is the payload of a KindProfile event.
type Profile struct {
	Nick string // UTF-8, at most MaxNick bytes and MaxNickChars characters; empty = none
}

// Encode returns the message's payload, or an error that wraps ErrForm or ErrTooLarge.
func (m Message) Encode() ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	b := make([]byte, 0, sizeBytes(len(m.Type))+sizeBytes(len(m.Data))+sizeBytes(len(m.Fallback)))
	b = appendBytes(b, fieldType, []byte(m.Type))
	b = appendBytes(b, fieldData, m.Data)
	b = appendBytes(b, fieldFallback, []byte(m.Fallback))
	if len(b) > MaxContent-SaltSize {
		return nil, fmt.Errorf("%w: message of %d bytes", ErrTooLarge, len(b))
	}
	return b, nil
}

// DecodeMessage reads a message's payload. Data is a slice of it.
func DecodeMessage(payload []byte) (Message, error) {
	r := reader{b: payload}
	m := Message{
		Type:     string(r.bytes(fieldType)),
		Data:     r.bytes(fieldData),
		Fallback: string(r.bytes(fieldFallback)),
	}
	r.skip(fieldFallback)
	if r.err != nil {
		return Message{}, r.err
	}
	if err := m.check(); err != nil {
		return Message{}, err
	}
	return m, nil
}

// ValidType reports whether s can name what an application's own data is: 1 to
// MaxType printable ASCII characters, no space.
func ValidType(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return 0 < len(s) && len(s) <= MaxType
}

func (m Message) check() error {
	if !ValidType(m.Type) {
		return fmt.Errorf("%w: message type is not 1 to %d printable ASCII characters", ErrForm, MaxType)
	}
	if m.Type == TypeText && (m.Fallback != "" || !utf8.Valid(m.Data)) {
		return fmt.Errorf("%w: text is not UTF-8, or has a fallback", ErrForm)
	}
	if !utf8.ValidString(m.Fallback) {
		return fmt.Errorf("%w: fallback is not UTF-8", ErrForm)
	}
	return nil
}

// Encode returns the profile's payload, or an error that wraps ErrForm or ErrTooLarge.
func (p Profile) Encode() ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	return appendBytes(nil, fieldNick, []byte(p.Nick)), nil
}

// DecodeProfile reads a profile's payload. It does not apply RFC 8266 to the nick:
// who shows it does.
func DecodeProfile(payload []byte) (Profile, error) {
	r := reader{b: payload}
	p := Profile{Nick: string(r.bytes(fieldNick))}
	r.skip(fieldNick)
	if r.err != nil {
		return Profile{}, r.err
	}
	if err := p.check(); err != nil {
		return Profile{}, err
	}
	return p, nil
}

func (p Profile) check() error {
	if len(p.Nick) > MaxNick || utf8.RuneCountInString(p.Nick) > MaxNickChars {
		return fmt.Errorf("%w: nick of %d bytes", ErrTooLarge, len(p.Nick))
	}
	if !utf8.ValidString(p.Nick) {
		return fmt.Errorf("%w: nick is not UTF-8", ErrForm)
	}
	return nil
}
