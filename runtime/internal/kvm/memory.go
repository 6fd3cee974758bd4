package kvm

import (
	"fmt"

	"github.com/sbx-dev/sbx/runtime/internal/bound"
)

// leastMemory is in how many KiB Debian 12's kernel boots with sbx's initrd; in 80 MiB
// it halts before it can say anything (measured on amd64). Another kernel may do with less.
const leastMemory = 96 << 10

// tellOfMemory says that a machine is unlikely to boot, which nothing would tell later: a
// kernel that cannot unpack itself just halts.
func tellOfMemory(s *bound.Sandbox) {
	if m := s.Domain.Memory; m != nil && m.Unit == "KiB" && m.Value < leastMemory {
		s.Log(fmt.Sprintf("the machine has %d MiB of memory, and a kernel such as Debian's boots in no less than %d: give it more by resources: memory, or --memory", m.Value>>10, leastMemory>>10))
	}
}
