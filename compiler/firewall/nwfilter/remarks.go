package nwfilter

import (
	"fmt"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/schema/diag"
)

// slowFilter is from how many rules of a filter on libvirt takes longer to install
// it than a person expects: it starts a program or more for each, and each reads
// all that stand there already.
const slowFilter = 1500

// Remarks says what libvirt does with the policy's filter that a person would not
// expect.
func Remarks(p *firewall.Policy) diag.List {
	var out diag.List
	if n := size(p, p.Smallest()); n > slowFilter {
		pos, path := p.Place()
		out = append(out, &diag.Diagnostic{Pos: pos, Severity: diag.Warning, Code: diag.SlowFilter, Path: path,
			Message: fmt.Sprintf("the rules become %d rules of a packet filter, which libvirt takes minutes to install on a host without the inner wall", n),
			Help:    "use ranges of ports, and prefixes that hold several addresses"})
	}
	for _, r := range p.Rules() {
		if r.Connections > 0 {
			out = append(out, &diag.Diagnostic{Pos: r.Pos, Severity: diag.Warning, Code: diag.PartialBound, Path: r.Path,
				Message: "the bound on connections holds for sandboxes and machines on the same bridge only",
				Help:    "libvirt counts no connections from the host, nor from what it routes: bound those in the service itself"})
		}
	}
	return out
}
