package resolve

import (
	"fmt"
	"maps"
	"slices"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/firewall/space"
	"github.com/sbx-dev/sbx/schema/diag"
)

// toldFigures warns of rules by which anyone may learn the host's figures.
func (s *Sandbox) toldFigures() (list diag.List) {
	for _, at := range slices.Sorted(maps.Keys(s.Mounts)) {
		which := s.Mounts[at].Figures
		if which == "" {
			continue
		}
		for r := range s.rules() {
			if !anyone(r) {
				continue
			}
			says := "to whom it may send"
			if r.In {
				says = "from who may ask"
			}
			list = append(list, &diag.Diagnostic{Pos: s.Source.Pos(r.Path), Severity: diag.Warning, Code: diag.Told, Path: r.Path,
				Message: fmt.Sprintf("the sandbox sees the host's figures of /%s at %s, and may tell anyone", which, at),
				Help:    "say in " + says})
		}
	}
	return list
}

// anyone says whether the rule speaks of every address of a family, however that is written.
func anyone(r firewall.Rule) bool {
	return slices.Contains(r.Remotes, space.EveryV4) || slices.Contains(r.Remotes, space.EveryV6)
}
