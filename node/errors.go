package node

import "github.com/parley-chat/parley/internal/fault"

// Faults of the data directory, the identity, the network and the invite.
// P2001 to P2039 are declared here, P2003 excepted, which is the running
// node's; those of a running node follow from P2040 on.
var (
	// ErrConfig lists every fault of a Config.
	ErrConfig = fault.New("P2001", fault.User, "the configuration is wrong", "correct it and start again")
	// ErrDir means the data directory cannot be made, read or written.
	ErrDir = fault.New("P2002", fault.Environment, "the data directory cannot be used",
		"make it yours and writable, or choose another directory")
	// ErrPermissions means others can read a secret or write where it lies.
	ErrPermissions = fault.New("P2004", fault.Environment, "others have access to the keys",
		"take it from them with chmod; if they may have read the keys, start anew with a fresh directory")
	// ErrNoIdentity means the directory holds no identity yet.
	ErrNoIdentity = fault.New("P2005", fault.User, "there is no identity in this directory",
		"start parley on it once, or choose another directory")
	// ErrIdentityCorrupt means identity.key is damaged. It is never replaced.
	ErrIdentityCorrupt = fault.New("P2006", fault.Environment, "identity.key is damaged",
		"restore it from a backup, or start anew with a fresh directory")
	// ErrNoNetwork means the directory belongs to no network yet.
	ErrNoNetwork = fault.New("P2007", fault.User, "this directory belongs to no network yet",
		"start parley on it once, or choose another directory")
	// ErrNetworkCorrupt means network.json is damaged. It is never replaced.
	ErrNetworkCorrupt = fault.New("P2008", fault.Environment, "network.json is damaged",
		"restore it from a backup, or start anew with a fresh directory and an invite")
	// ErrOtherNetwork means the directory belongs to another network than the
	// one asked for.
	ErrOtherNetwork = fault.New("P2009", fault.User, "this directory belongs to another network",
		"one directory is one network: choose a fresh directory")
	// ErrNetworkName means the text cannot be a network's name.
	ErrNetworkName = fault.New("P2010", fault.User, "this cannot be a network's name",
		"take 1 to 64 characters that can be seen")
	// ErrInvite means the text is no invite or has a typing error.
	ErrInvite = fault.New("P2011", fault.User, "this is not a whole invite",
		"copy it again, from PARLEY: to its last character")
	// ErrInviteVersion means the invite was made by a newer Parley.
	ErrInviteVersion = fault.New("P2012", fault.User, "this invite was made by a newer Parley", "install the newer one")
	// ErrSecret means a secret file does not hold 32 bytes as base64 or hex.
	ErrSecret = fault.New("P2013", fault.User, "the secret file does not hold a secret",
		"put 32 random bytes in it as base64 or hex, for example with: openssl rand -hex 32")
	// ErrRootKey means root.key is missing where it is needed, or damaged.
	ErrRootKey = fault.New("P2014", fault.User, "the network's root key is not usable here",
		"do this in the directory where the network was made, or restore root.key from a backup")
	// ErrNetworkRecord means a network record is malformed or not signed by
	// the network's root.
	ErrNetworkRecord = fault.New("P2015", fault.Peer, "the network record is not valid", "")
	// ErrRegistrar means the registrar set cannot be changed so.
	ErrRegistrar = fault.New("P2016", fault.User, "the registrar set cannot be changed so", "see who is in it with parley registrars list")
	// ErrTicket means a ticket does not admit this node to its network.
	ErrTicket = fault.New("P2017", fault.User, "this is not a ticket of this node", "register again with parley register")
)
