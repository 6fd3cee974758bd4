package sequence

import (
	"slices"

	"github.com/sbx-dev/sbx/internal/order"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Run works on each of the names once those that come before it are done with, on so
// many at once. What comes after one that failed is told that it is not to begin.
func Run(names []string, before map[string][]string, parallel int, work func(name string, stopped error) error) {
	type end struct {
		name string
		err  error
	}
	left, working, failed := slices.Clone(names), map[string]bool{}, map[string]bool{}
	done := make(chan end)
	for len(left) > 0 || len(working) > 0 {
		i := -1
		if len(working) < max(parallel, 1) {
			i = order.Next(left, before, working)
		}
		if i < 0 && len(working) == 0 {
			i = 0 // a saved plan whose order somebody has edited into a circle
		}
		if i < 0 {
			e := <-done
			delete(working, e.name)
			failed[e.name] = e.err != nil
			continue
		}
		name := left[i]
		left, working[name] = slices.Delete(left, i, i+1), true
		stopped := NotBegun(name, before[name], failed)
		go func() { done <- end{name, work(name, stopped)} }()
	}
}

// NotBegun is the error of a sandbox that comes after one that failed; nil where none
// did.
func NotBegun(name string, before []string, failed map[string]bool) error {
	for _, other := range before {
		if failed[other] {
			return fault.New(diag.Failed, "%s: not begun, because it comes after %s, which failed", name, other)
		}
	}
	return nil
}
