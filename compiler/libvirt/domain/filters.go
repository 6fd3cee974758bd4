package domain

import (
	"github.com/sbx-dev/sbx/compiler/firewall/nwfilter"
	"github.com/sbx-dev/sbx/compiler/resolve"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Filter is the compiled allow-list of one interface.
type Filter struct {
	*nwfilter.Compiled
	Key  string // of a profile's networks; empty for its only network
	Path string // where the interface stands in the profile
}

// Filters lowers the allow-list of each interface to a filter and proves it. Its
// errors are diagnostics.
func Filters(interfaces []resolve.Interface) ([]Filter, error) {
	var list []Filter
	var faults diag.List
	for _, i := range interfaces {
		compiled, err := nwfilter.Lower(i.Policy)
		if of, ok := diag.From(err); ok {
			faults = append(faults, of...)
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, Filter{compiled, i.Key, i.Path})
	}
	return list, faults.Err()
}
