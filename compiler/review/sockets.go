package review

import (
	"fmt"

	"github.com/sbx-dev/sbx/schema"
)

// sockets lists the sandboxes with which a version speaks by unix sockets. What passes
// there is more than bytes: an open file goes past the walls of who gets it.
func sockets(p *schema.Profile) (out []item) {
	const passes = "; bytes and open files pass both ways"
	for _, at := range keys(p.Mounts) {
		s, path := p.Mounts[at].Socket, schema.Field("mounts", at)+".socket"
		if s == nil {
			continue
		}
		if s.From != "" {
			out = append(out, item{text: fmt.Sprintf("connects to %s's socket at %s%s", s.From, word(at), passes), path: path + ".from"})
		}
		for i, name := range s.To {
			out = append(out, item{text: fmt.Sprintf("%s connects to its socket at %s%s", name, word(at), passes), path: schema.Elem(path+".to", i)})
		}
		if len(s.To) > 0 {
			out = append(out, item{text: fmt.Sprintf("keeps what it writes around %s on the host's disk", word(at)), path: path})
		}
	}
	return out
}
