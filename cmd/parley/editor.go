package main

import (
	"errors"
	"io"
	"os"
	"strings"

	"github.com/ergochat/readline"
)

// editor is the terminal's line editor: what is written while a line is being
// typed goes above it, wide characters included.
type editor struct {
	*readline.Instance
	typing string // the line so far; the editor forgets it before it tells of control-C
}

func newEditor(s *session) (*editor, error) {
	e := &editor{}
	var err error
	e.Instance, err = readline.NewFromConfig(&readline.Config{
		Prompt:          "> ",
		Stdin:           &pasteReader{r: os.Stdin},
		InterruptPrompt: "\n", // nothing
		EOFPrompt:       "\n",
		AutoComplete:    completer(s),
		Listener: func(line []rune, _ int, _ rune) ([]rune, int, bool) {
			e.typing = string(line)
			return nil, 0, false
		},
	})
	if err != nil {
		return nil, errTerminal.With(err)
	}
	_, err = io.WriteString(os.Stdout, pasteOn)
	return e, err
}

// Close gives the terminal back.
func (e *editor) Close() error {
	_, err := io.WriteString(os.Stdout, pasteOff)
	return errors.Join(err, e.Instance.Close())
}

// ReadLine returns the next line, which is several when it was pasted. Control-C on a line with text drops the
// text, on an empty one it ends the chat like control-D.
func (e *editor) ReadLine() (string, error) {
	for {
		line, err := e.Instance.ReadLine()
		if !errors.Is(err, readline.ErrInterrupt) {
			return strings.TrimRight(unmark.Replace(line), "\n"), err
		}
		if strings.TrimSpace(e.typing) == "" {
			return "", io.EOF
		}
	}
}

// completer completes commands, and rooms or peers after those that take one.
func completer(s *session) readline.AutoCompleter {
	rooms := &readline.PrefixCompleter{Callback: func(string) []string { return s.joinedNames() }}
	chats := &readline.PrefixCompleter{Callback: func(string) []string { return append(s.joinedNames(), s.metNames()...) }}
	takesRoom := map[string]bool{"/join": true, "/leave": true, "/members": true}
	root := &readline.PrefixCompleter{}
	for _, c := range commands {
		item := &readline.PrefixCompleter{Name: c.name + " "}
		if takesRoom[c.name] {
			item.Children = []*readline.PrefixCompleter{rooms}
		}
		if c.name == "/msg" {
			item.Children = []*readline.PrefixCompleter{chats}
		}
		root.Children = append(root.Children, item)
	}
	return root
}
