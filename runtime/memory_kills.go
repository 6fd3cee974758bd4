package runtime

import (
	"path/filepath"

	"github.com/sbx-dev/sbx/internal/oomkill"
	"github.com/sbx-dev/sbx/schema"
)

// memoryKills is how many processes of the running container the kernel has
// killed because its memory was full, as the host's control groups count them. A
// machine has a kernel of its own, which its first process asks.
func (s *starting) memoryKills() uint64 {
	if s.kind != schema.LXC {
		return 0
	}
	dom, err := lookup(s.conn, s.name)
	if dom == nil || err != nil {
		return 0
	}
	defer dom.Free()
	controller, err := controllerOf(dom)
	if err != nil {
		return 0
	}
	groups, err := processGroups(controller)
	if err != nil {
		return 0
	}
	file := filepath.Join(groupRoot, groups[""], "memory.events")
	if group, separate := groups["memory"]; separate {
		file = filepath.Join(groupRoot, "memory", group, "memory.oom_control")
	}
	return oomkill.Count(file)
}

// memory is how much memory the sandbox may use, in bytes; 0 where that cannot be
// found out.
func (s *starting) memory() int64 {
	dom, err := lookup(s.conn, s.name)
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
