package firewall

import (
	"errors"
	"fmt"
	"slices"

	"github.com/sbx-dev/sbx/schema/diag"
)

// slowFilter is from how many rules of a filter on libvirt takes longer to install
// it than a person expects: it starts a program or more for each, and each reads
// all that stand there already.
const slowFilter = 1500

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
	if n := p.size(); n > slowFilter {
		out = append(out, &diag.Diagnostic{Pos: p.pos, Severity: diag.Warning, Code: diag.SlowFilter, Path: p.path,
			Message: fmt.Sprintf("the rules become %d rules of a packet filter, which libvirt takes minutes to install", n),
			Help:    "use ranges of ports, and prefixes that hold several addresses"})
	}
	for _, r := range p.rules {
		if r.Connections > 0 {
			out = append(out, &diag.Diagnostic{Pos: r.Pos, Severity: diag.Warning, Code: diag.PartialBound, Path: r.Path,
				Message: "the bound on connections holds for sandboxes and machines on the same bridge only",
				Help:    "libvirt counts no connections from the host, nor from what it routes: bound those in the service itself"})
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
func (p *Policy) redundant(n int, rules map[topic][]clause, gone []bool) *diag.Diagnostic {
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
func (p *Policy) covering(n int, rules map[topic][]clause, gone []bool) (by []int, ok bool) {
	for _, clauses := range rules {
		for _, c := range clauses {
			if c.rule != n {
				continue
			}
			within := box{dSrc: c.box[dSrc], dDstPort: c.box[dDstPort]}
			var others []clause
			for _, o := range clauses {
				if o.rule != n && !gone[o.rule] && o.box[dSrc].meets(within[dSrc]) && o.box[dDstPort].meets(within[dDstPort]) {
					others = append(others, o)
				}
			}
			err := partition(within, others, func(_ *region, matching []int32) error {
				if len(matching) == 0 {
					return errOpen
				}
				if i := others[matching[0]].rule; !slices.Contains(by, i) {
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
