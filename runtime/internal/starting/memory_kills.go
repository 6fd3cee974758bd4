package starting

import (
	"github.com/sbx-dev/sbx/runtime/internal/known"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
)

// MemoryKills is how many processes of the running sandbox the host's kernel has
// killed because its memory was full. A machine has a kernel of its own, which its
// first process asks.
func (s *Start) MemoryKills() uint64 {
	kills := known.Of(s.Kind).Kills
	if kills == nil {
		return 0
	}
	dom, err := virt.Lookup(s.Conn, s.Name)
	if dom == nil || err != nil {
		return 0
	}
	defer dom.Free()
	return kills(dom)
}

// memory is how much memory the sandbox may use, in bytes; 0 where that cannot be
// found out.
func (s *Start) memory() int64 {
	dom, err := virt.Lookup(s.Conn, s.Name)
	if dom == nil || err != nil {
		return 0
	}
	defer dom.Free()
	info, err := dom.GetInfo()
	if err != nil {
		return 0
	}
	return int64(info.MaxMem) << 10
}
