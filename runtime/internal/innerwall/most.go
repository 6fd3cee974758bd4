package innerwall

import compiled "github.com/sbx-dev/sbx/compiler/firewall/nftables"

// most is how many elements a table may have here. What the kernel takes to load them
// grows faster than they do, and nothing can interrupt it meanwhile: 800 took it 0.3
// seconds, 1,600 one, 4,000 nine, and 5,000 more than a minute (Debian 12's kernel,
// emulated, on a busy machine).
const most = 2000

// Fits says whether the kernel takes a table in a time that one can wait for.
func Fits(t *compiled.Table) bool {
	elements := 0
	for _, s := range t.Sets {
		elements += len(s.Elements)
	}
	return elements <= most
}
