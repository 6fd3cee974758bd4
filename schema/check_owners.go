package schema

import (
	"slices"
	"strconv"
	"strings"

	"github.com/sbx-dev/sbx/schema/diag"
)

// LastID is the highest id inside a sandbox.
const LastID = 65535

// idsInside reports ids that nothing inside can have. The words are those of a value that
// the schema has taken.
func (c *checker) idsInside(path string, words ...string) {
	for _, word := range words {
		for id := range strings.SplitSeq(word, ":") {
			if n, err := strconv.Atoi(id); err == nil && n > LastID {
				c.fail(diag.BadUser, path, "the ids inside a sandbox go from 0 to 65535", "there is no id %d inside", n)
			}
		}
	}
}

// owners checks whose a mount's files are to be.
func (c *checker) owners(at string, m Mount) {
	path := Field("mounts", at)
	owner, ids := Field(path, "owner"), Field(path, "ids")
	c.idsInside(owner, m.Owner)
	c.idsInside(ids, m.IDs...)
	c.twice(ids, m.IDs)
	switch {
	case m.Owner != "" && m.Owner != "root" && at == shared:
		c.fail(diag.MountFields, owner, "remove it, and say mode: \"1777\" or \"0777\" where others than root are to use it", "%s belongs to root", shared)
	case m.Owner != "" && !m.Makes():
		c.fail(diag.MountFields, owner, "remove it: the host's own owners hold; ids says who is to be themselves inside", "owner is for tmpfs, file, a writable folder of the host, and a socket's folder where it is made")
	case m.Owner != "" && m.Host != "" && !c.Backend.MapsUsers():
		d := c.fail(diag.OtherBackend, owner, "remove it: all that a machine makes on the host belongs to one id of its own", "%s", onlyFor("owner of a host folder is", mapsUsers))
		c.note(d, "backend", "the backend is chosen here")
	case len(m.IDs) > 0 && m.Host == "":
		c.fail(diag.MountFields, ids, "remove it", "ids is for host")
	case len(m.IDs) > 0 && !c.Backend.MapsUsers():
		d := c.fail(diag.OtherBackend, ids, "remove it, and let everyone read the files or let the machine have a copy that is its own", "a machine has all files of the host under one id, so that none can keep its own: %s", onlyFor("ids is", mapsUsers))
		c.note(d, "backend", "the backend is chosen here")
	case len(m.IDs) > 0 && !c.Users.Namespace:
		d := c.fail(diag.MountFields, ids, "remove it", "without a user namespace all ids are the host's own already")
		c.note(d, "users.namespace", "it is turned off here")
	case len(m.IDs) > 1 && slices.Contains(m.IDs, AllIDs):
		c.fail(diag.MountFields, ids, `say ids: "all" alone, or leave it out`, "%q is every id, so that the others mean nothing beside it", AllIDs)
	}
}

func mapsUsers(t traits) bool { return t.maps }
