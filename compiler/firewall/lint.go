package firewall

import (
	"errors"
	"fmt"
	"slices"

	"github.com/sbx-dev/sbx/compiler/firewall/space"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Warnings says which rules could go, all together, without changing what
// passes: each is covered by another rule, or by several between them. Of two
// that are alike the second is named.
func (p *Policy) Warnings() diag.List {
	rules := p.openings()
	gone := make([]bool, len(p.rules))
	for n := len(p.rules) - 1; n >= 0; n-- {
		by, covered := p.covering(n, rules, gone)
		gone[n] = covered && p.countsAlike(n, by)
	}
	var out diag.List
	for n := range p.rules {
		if gone[n] {
			out = append(out, p.redundant(n, rules, gone))
		}
	}
	return out
}

// countsAlike says whether no bound on connections changes when rule n goes and
// those that cover it decide: it decides nothing behind them, or none is bounded.
func (p *Policy) countsAlike(n int, by []int) bool {
	last, counts := -1, p.rules[n].Connections > 0
	for _, i := range by {
		last, counts = max(last, i), counts || p.rules[i].Connections > 0
	}
	return last < n || !counts
}

// redundant names a covered rule and the rules that cover it.
func (p *Policy) redundant(n int, rules map[topic][]space.Clause, gone []bool) *diag.Diagnostic {
	r := p.rules[n]
	d := &diag.Diagnostic{Pos: r.Pos, Severity: diag.Warning, Code: diag.RedundantRule, Path: r.Path,
		Message: fmt.Sprintf("all that this rule lets pass (%s), others let pass already", r),
		Help:    "remove it, or narrow the others"}
	by, _ := p.covering(n, rules, gone)
	for _, i := range by {
		d.Notes = append(d.Notes, diag.Note{Pos: p.rules[i].Pos, Message: fmt.Sprintf("%s: %s", p.rules[i].Path, p.rules[i])})
	}
	return d
}

// errOpen stops a walk at a place that no rule covers.
var errOpen = errors.New("not covered")

// covering gives the rules that decide within rule n when it and those that are
// gone are away; ok says that they leave nothing of it open.
func (p *Policy) covering(n int, rules map[topic][]space.Clause, gone []bool) (by []int, ok bool) {
	for _, clauses := range rules {
		for _, c := range clauses {
			if c.Rule != n {
				continue
			}
			within := space.Box{space.DimSrc: c.Box[space.DimSrc], space.DimDstPort: c.Box[space.DimDstPort]}
			var others []space.Clause
			for _, o := range clauses {
				if o.Rule != n && !gone[o.Rule] && o.Box[space.DimSrc].Meets(within[space.DimSrc]) && o.Box[space.DimDstPort].Meets(within[space.DimDstPort]) {
					others = append(others, o)
				}
			}
			err := space.Partition(within, others, func(_ *space.Region, matching []int32) error {
				if len(matching) == 0 {
					return errOpen
				}
				if i := others[matching[0]].Rule; !slices.Contains(by, i) {
					by = append(by, i)
				}
				return nil
			})
			if err != nil {
				return nil, false
			}
		}
	}
	slices.Sort(by)
	return by, true
}
