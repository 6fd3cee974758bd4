package schema

import (
	"path"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/internal/within"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Socket is one end of a unix socket between sandboxes; one of both fields is set.
type Socket struct {
	To   []string `json:"to,omitempty"`   // the sandboxes that may connect to what is made here
	From string   `json:"from,omitempty"` // the sandbox whose socket it is
}

// Serves says whether the mount is where a socket for other sandboxes is made.
func (m *Mount) Serves() bool { return m.Socket != nil && len(m.Socket.To) > 0 }

// At is the path inside that is mounted, of the mount that the profile has at a path: of
// a socket it is the folder around it, so that who uses the socket finds the new one when
// its server has made it anew.
func (m *Mount) At(at string) string {
	if m.Socket == nil {
		return at
	}
	return path.Dir(at)
}

// Servers are the sandboxes whose sockets this one is to use, each once, in the order of
// their mounts.
func (p *Profile) Servers() (names []string) {
	seen := map[string]bool{"": true}
	for _, at := range sorted(p.Mounts) {
		if s := p.Mounts[at].Socket; s != nil && !seen[s.From] {
			seen[s.From] = true
			names = append(names, s.From)
		}
	}
	return names
}

// Follows are the sandboxes that come before this one, where they start together: those
// in After, and those whose sockets it is to use.
func (p *Profile) Follows() []string {
	names := slices.Clone(p.After)
	for _, server := range p.Servers() {
		if !slices.Contains(names, server) {
			names = append(names, server)
		}
	}
	return names
}

// maxSocket is the longest path that a socket can be bound to or asked at (unix(7)).
const maxSocket = 107

// socket checks one end of a socket between sandboxes.
func (c *checker) socket(at string, m Mount) {
	place := Field(Field("mounts", at), "socket")
	if !c.Backend.SharesSockets() {
		d := c.fail(diag.OtherBackend, place, `let them speak over a network: {in: tcp: […], from: "CLIENT"} in the server's allow, {out: tcp: […], to: "SERVER"} in the client's`,
			"a machine has a kernel of its own, and no unix socket leads out of it: %s", onlyFor("they are", func(t traits) bool { return t.sockets }))
		c.note(d, "backend", "the backend is chosen here")
		return
	}
	if m.Writable {
		c.fail(diag.MountFields, Field(Field("mounts", at), "writable"), "remove it", "writable is for host and image: who makes a socket may write in its folder, and nobody else")
	}
	if len(at) > maxSocket {
		c.fail(diag.BadPath, Field("mounts", at), "mount it at a shorter path", "the path of a socket has %d bytes at most, and this has %d", maxSocket, len(at))
	}
	if strings.HasPrefix(path.Base(at), ".") {
		c.fail(diag.BadPath, Field("mounts", at), "give it another name", "the name of a socket between sandboxes begins with no full stop")
	}
	c.twice(place+".to", m.Socket.To)
	for i, name := range m.Socket.To {
		if name != "" && name == c.Name {
			c.fail(diag.Socket, Elem(place+".to", i), "remove it", "%s is the one that makes the socket", name)
		}
	}
	if m.Socket.From != "" && m.Socket.From == c.Name {
		c.fail(diag.Socket, place+".from", "name the sandbox that makes it, or say to: [\"CLIENT\"] where it is this one", "%s cannot have its socket from itself", c.Name)
	}
	c.socketFolder(at, m)
}

// socketFolder checks that the folder around a socket is the socket's alone: something
// else there would be hidden by it, or be in the hands of the server.
func (c *checker) socketFolder(at string, m Mount) {
	place, folder := Field("mounts", at), m.At(at)
	const help = "give it a folder of its own, such as /run/NAME/NAME.sock"
	if folder == "/" {
		c.fail(diag.Overlap, place, help, "the folder of a socket is mounted as a whole, and this one's is the sandbox's root")
		return
	}
	for i, e := range c.Expose {
		if within.Dir(e, folder) && e != "" {
			c.note(c.fail(diag.Overlap, place, help, "the folder of the socket, %q, hides %q, which is exposed", folder, e), Elem("expose", i), "it is exposed here")
		}
	}
	for _, other := range sorted(c.Mounts) {
		o := c.Mounts[other]
		switch there := o.At(other); {
		case other == at:
		case within.Dir(there, folder) && (there != folder || o.Socket == nil || other > at):
			c.note(c.fail(diag.Overlap, place, help, "the folder of a socket, %q, is the socket's alone, and %q is to stand there as well", folder, other), Field("mounts", other), "it is here")
		case o.Socket != nil && m.Serves() && o.Serves() && path.Base(other) == path.Base(at) && other > at:
			c.note(c.fail(diag.Socket, place, "give one of them another name", "%q is the name of two sockets, and those who connect know them by it", path.Base(at)), Field("mounts", other), "the other one is here")
		}
	}
}
