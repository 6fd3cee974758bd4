package service

import (
	"github.com/sbx-dev/sbx/initramfs/init/machine"
	"github.com/sbx-dev/sbx/internal/oomkill"
)

// memoryKills counts the processes that a machine's kernel has killed because the
// memory was full. In a container that file is the host's, which itself knows of
// the container's.
func memoryKills() uint64 {
	if !machine.Here() {
		return 0
	}
	return oomkill.Count("/proc/vmstat")
}
