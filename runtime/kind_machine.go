package runtime

import (
	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/proc"
	"github.com/sbx-dev/sbx/schema"
)

// machine is a virtual machine with a kernel of its own, which QEMU is.
var machine = kind{
	name:    schema.KVM,
	driver:  "qemu",
	backend: func(r *Runtime) backend { return kvm{r} },
	bind:    func(r *Runtime, s *bound.Sandbox) error { return s.BindMachine(r.options.Accel) },

	made:     []string{state.Boot}, // its exports are the host's own files
	manifest: state.Boot,

	embedded:  true,
	holdsBack: true,
	stopGrace: writeLimit,

	process: func(_ *libvirt.Domain, name string) int { return proc.ReadPID("/run/libvirt/qemu/" + name + ".pid") },
	first:   func(qemu int) int { return qemu },
	memory:  qemuMemory,
}

// qemuMemory is the use of a machine's process: what libvirt calls a machine's memory
// is how much it may use.
func qemuMemory(dom *libvirt.Domain, _ *libvirt.DomainInfo) int64 {
	stats, err := dom.MemoryStats(uint32(libvirt.DOMAIN_MEMORY_STAT_NR), 0)
	if err != nil {
		return 0
	}
	for _, s := range stats {
		if libvirt.DomainMemoryStatTags(s.Tag) == libvirt.DOMAIN_MEMORY_STAT_RSS {
			return int64(s.Val) * 1024
		}
	}
	return 0
}
