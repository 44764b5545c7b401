package node

import (
	"errors"
	"fmt"
	"log/slog"
)

// openNetwork says which network a directory is in: the one it remembers, or,
// in a fresh one, the one asked for, which is then remembered. Asking for the
// remembered one again is fine, and an invite to it may bring a newer secret;
// asking for another is ErrOtherNetwork.
func openNetwork(dir string, ask NetworkConfig, log *slog.Logger) (*NetworkFile, error) {
	if err := prepareDir(dir, log); err != nil {
		return nil, err
	}
	known, err := LoadNetwork(dir)
	if err == nil {
		return known.meet(dir, ask)
	}
	if !errors.Is(err, ErrNoNetwork) {
		return nil, err
	}
	f, err := ask.fresh()
	if err != nil {
		return nil, err
	}
	return f, f.create(dir)
}

// fresh returns the network asked for in a directory that knows none.
func (n NetworkConfig) fresh() (*NetworkFile, error) {
	if v := n.Invite; v != nil {
		// The invite's own network has a name that only its record tells; one
		// given beside it would be a guess.
		f := &NetworkFile{Network: makeNetwork(v.Network, "", v.Mode), Fingerprint: v.Fingerprint}
		if v.Mode.hasSecret() {
			f.Epochs = []Epoch{{v.Epoch, v.Secret}}
		}
		return f, nil
	}
	name := n.Name
	if name == "" {
		name = defaultNetwork
	}
	name, err := networkName(name)
	if err != nil {
		return nil, err
	}
	if n.Secret != nil {
		id, err := adHocNetworkID(name, *n.Secret)
		return &NetworkFile{Network: makeNetwork(id, name, ModeAdHoc), Epochs: []Epoch{{1, *n.Secret}}}, err
	}
	id, err := openNetworkID(name)
	return &NetworkFile{Network: makeNetwork(id, name, ModeOpen)}, err
}

// meet compares the remembered network with the one asked for.
func (f *NetworkFile) meet(dir string, ask NetworkConfig) (*NetworkFile, error) {
	if ask.Name == "" && ask.Secret == nil && ask.Invite == nil {
		return f, nil
	}
	if v := ask.Invite; v != nil {
		return f.meetInvite(dir, v)
	}
	// The name of the network one is in is enough, also without its secret:
	// that keeps a node where it is, and never opens a closed one.
	if ask.Secret == nil && f.Name != "" && f.Mode != ModeOpen && sameName(f.Name, ask.Name) {
		return f, nil
	}
	if ask.Name == "" {
		ask.Name = f.Name
	}
	want, err := ask.fresh()
	if err != nil {
		return nil, err
	}
	if want.ID != f.ID {
		return nil, otherNetwork(f, fmt.Sprintf("the %s network %q", kindOf(want.Mode), want.Name))
	}
	if f.Name == "" { // joined by invite, and now told the name
		return want, want.save(dir)
	}
	return f, nil
}

func (f *NetworkFile) meetInvite(dir string, v *Invite) (*NetworkFile, error) {
	if v.Network != f.ID {
		return nil, otherNetwork(f, "the network of the invite, "+tagOf(v.Network))
	}
	if !v.Mode.hasSecret() || !f.Mode.hasSecret() {
		return f, nil
	}
	if f.outdated(v.Epoch) {
		return f, ErrInviteOutdated
	}
	g, err := f.withEpoch(Epoch{v.Epoch, v.Secret})
	if err != nil || g == f {
		return g, err
	}
	return g, g.save(dir)
}

// otherNetwork says which network the directory is in and which one was asked
// for.
func otherNetwork(f *NetworkFile, wanted string) error {
	name := fmt.Sprintf("%q", f.Name)
	if f.Name == "" {
		name = f.Tag
	}
	return ErrOtherNetwork.Withf("this directory belongs to the %s network %s, not to %s", kindOf(f.Mode), name, wanted)
}

// kindOf says in one word how a network admits.
func kindOf(m Mode) string {
	if m == ModeOpen {
		return "open"
	}
	return "closed"
}
