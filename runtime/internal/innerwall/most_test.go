package innerwall

import (
	"testing"

	compiled "github.com/sbx-dev/sbx/compiler/firewall/nftables"
)

func TestFits(t *testing.T) {
	for _, c := range []struct {
		elements []int
		fits     bool
	}{{nil, true}, {[]int{most}, true}, {[]int{most + 1}, false}, {[]int{most / 2, most / 2}, true}, {[]int{most, 1}, false}} {
		table := new(compiled.Table)
		for _, n := range c.elements {
			table.Sets = append(table.Sets, compiled.Set{Elements: make([]compiled.Element, n)})
		}
		if Fits(table) != c.fits {
			t.Errorf("a table of sets of %v elements fits: %t", c.elements, !c.fits)
		}
	}
}
