package runtime

import "github.com/sbx-dev/sbx/runtime/internal/virt"

// Leases are a sandbox's addresses that DHCP servers chose.
type Leases = virt.Leases
