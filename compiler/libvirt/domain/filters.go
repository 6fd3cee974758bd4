package domain

import (
	"cmp"
	"errors"
	"fmt"
	"sync"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/firewall/nftables"
	"github.com/sbx-dev/sbx/compiler/firewall/nwfilter"
	"github.com/sbx-dev/sbx/compiler/firewall/space"
	"github.com/sbx-dev/sbx/compiler/resolve"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Filter is the compiled allow-list of one interface: the filter that enforces it
// alone, and the two walls that do so where the host's kernel can.
type Filter struct {
	*nwfilter.Compiled
	*Walls        // nil where the rules are too many for an inner wall
	Key    string // of a profile's networks; empty for its only network
	Path   string // where the interface stands in the profile
}

// Walls are the two that enforce an allow-list together.
type Walls struct {
	Outer *nwfilter.Compiled // the filter itself, where that is the outer wall, too
	Inner *nftables.Table
	Wall  *nftables.Wall // Inner as the kernel carries it out
}

// Filters lowers the allow-list of each interface and proves what enforces it. Its
// errors are diagnostics.
func Filters(interfaces []resolve.Interface) ([]Filter, error) {
	var list []Filter
	var faults diag.List
	for _, i := range interfaces {
		lowered, err := lower(i)
		if of, ok := diag.From(err); ok {
			faults = append(faults, of...)
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, *lowered)
	}
	return list, faults.Err()
}

// lower lowers the allow-list of one interface both ways, side by side: each takes about
// as long as the other.
func lower(i resolve.Interface) (*Filter, error) {
	parts, err := nwfilter.Parts(i.Policy)
	if err != nil {
		return nil, err
	}
	alone := sync.OnceValues(func() (*nwfilter.Compiled, error) { return nwfilter.Lower(i.Policy, parts) })
	go alone()
	walls, failed := newWalls(i.Policy, i.Device(), alone)
	compiled, err := alone()
	if err = cmp.Or(err, failed); err != nil {
		return nil, err
	}
	return &Filter{compiled, walls, i.Key, i.Path}, nil
}

// newWalls lowers a policy to two walls and proves them; nil where they are too large.
func newWalls(p *firewall.Policy, device string, alone func() (*nwfilter.Compiled, error)) (*Walls, error) {
	outer, err := nwfilter.Outer(p)
	if err == nil && outer == nil {
		outer, err = alone()
	}
	if err != nil {
		return nil, err
	}
	w := &Walls{Outer: outer}
	if w.Inner, err = nftables.Compile(p, device); err == nil {
		if w.Wall, err = nftables.Model(w.Inner); err != nil {
			return nil, fmt.Errorf("firewall: %w", err)
		}
		err = nftables.Prove(p, w.Wall, outer.Model)
	}
	if errors.Is(err, space.ErrOverlaps) || errors.Is(err, nftables.ErrTooMany) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return w, nil
}
