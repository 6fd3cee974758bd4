package runtime

import (
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/qemu"
)

// The accelerators that Options.Accel may force.
const (
	AccelKVM = qemu.AccelKVM // hardware virtualisation
	AccelTCG = qemu.AccelTCG // QEMU's own emulation
)

// QbootROM is a firmware with which machines of x86_64 start faster.
const QbootROM = qemu.QbootROM

// IPv6Mend is what to do on a host without IPv6.
const IPv6Mend = bound.IPv6Mend

// KeepsIDs says whether what is at a path of the host, or would be made there, can keep
// its owners in a container.
func KeepsIDs(path string) bool { return bound.KeepsIDs(path) }
