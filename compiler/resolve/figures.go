package resolve

import (
	"fmt"
	"maps"
	"slices"

	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// toldFigures warns of rules by which anyone may learn the host's figures.
func (s *Sandbox) toldFigures() (list diag.List) {
	for _, at := range slices.Sorted(maps.Keys(s.Mounts)) {
		which := s.Mounts[at].Figures
		if which == "" {
			continue
		}
		for _, c := range s.Interfaces {
			for i, r := range c.Allow {
				says := ""
				switch {
				case r.In != nil && len(r.From) == 0:
					says = "from who may ask"
				case r.Out != nil && len(r.To) == 0:
					says = "to whom it may send"
				default:
					continue
				}
				path := schema.Elem(c.Path+".allow", i)
				list = append(list, &diag.Diagnostic{Pos: s.Source.Pos(path), Severity: diag.Warning, Code: diag.Told, Path: path,
					Message: fmt.Sprintf("the sandbox sees the host's figures of /%s at %s, and may tell anyone", which, at),
					Help:    "say in " + says})
			}
		}
	}
	return list
}
