package resolve

import (
	"fmt"
	"maps"
	"path"
	"slices"

	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// socketEnd is one end of a socket between sandboxes, its place in the profile, and what
// both ends call it.
type socketEnd struct {
	*schema.Socket
	path, name string
}

func socketEnds(p *schema.Profile) (list []socketEnd) {
	for _, at := range slices.Sorted(maps.Keys(p.Mounts)) {
		if m := p.Mounts[at]; m.Socket != nil {
			list = append(list, socketEnd{m.Socket, schema.Field("mounts", at) + ".socket", path.Base(at)})
		}
	}
	return list
}

// sockets compares the two ends of each socket between two of the profiles: who connects
// and who lets connect have both said so.
func (t *together) sockets(profiles []*schema.Profile) {
	byName := map[string]*schema.Profile{}
	for _, p := range profiles {
		byName[p.Name] = p
	}
	for _, p := range profiles {
		for _, end := range socketEnds(p) {
			if server := byName[end.From]; server != nil {
				t.socket(claim{p, end.path + ".from"}, end, server)
			}
		}
	}
}

func (t *together) socket(c claim, end socketEnd, server *schema.Profile) {
	ends := socketEnds(server)
	i := slices.IndexFunc(ends, func(e socketEnd) bool { return e.name == end.name && e.From == "" })
	d := &diag.Diagnostic{Pos: c.pos(), Severity: diag.Error, Code: diag.Socket, Path: c.path}
	switch {
	case i < 0:
		d.Message = fmt.Sprintf("%s has no socket %s for others", server.Name, end.name)
		d.Help = fmt.Sprintf("mount it there: mounts: \"/run/%s/%s\": socket: to: [%q], or name it as it is called there", server.Name, end.name, c.profile.Name)
		d.Notes = []diag.Note{{Pos: server.Source.Pos("name"), Message: server.Name + " is here"}}
	case !slices.Contains(ends[i].To, c.profile.Name):
		d.Message = fmt.Sprintf("%s does not give its socket %s to %s", server.Name, end.name, c.profile.Name)
		d.Help = fmt.Sprintf("add %q to the socket's to in %s's profile", c.profile.Name, server.Name)
		d.Notes = []diag.Note{{Pos: server.Source.Pos(ends[i].path + ".to"), Message: "it is given to others here"}}
	default:
		return
	}
	t.faults = append(t.faults, d)
}
