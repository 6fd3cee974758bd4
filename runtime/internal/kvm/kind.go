package kvm

import (
	"time"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/internal/kinds"
	"github.com/sbx-dev/sbx/runtime/internal/proc"
	"github.com/sbx-dev/sbx/schema"
)

// Kind is a virtual machine with a kernel of its own, which QEMU is.
var Kind = kinds.Kind{
	Name:    schema.KVM,
	Driver:  "qemu",
	Backend: func(h *kinds.Host) kinds.Backend { return backend{h, new(waiting)} },
	Bind:    bindHere,

	Made:     []string{state.Boot}, // its exports are the host's own files
	Manifest: state.Boot,

	Embedded:  true,
	HoldsBack: true,
	LogsEnd:   true,
	StopGrace: writeLimit,

	Process: func(_ *libvirt.Domain, name string) int { return proc.ReadPID("/run/libvirt/qemu/" + name + ".pid") },
	First:   func(qemu int) int { return qemu },
	Memory:  qemuMemory,
	Refused: withoutEmulator,
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

// writeLimit is how long a machine may take to end whose command has: it first writes
// out what it holds of the host's files and images.
const writeLimit = 2 * time.Minute
