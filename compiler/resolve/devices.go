package resolve

import (
	"github.com/sbx-dev/sbx/internal/syscalls"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// idleDevices finds devices that can be opened, and that the kernel lets the command do
// nothing with.
func (s *Sandbox) idleDevices() (list diag.List) {
	for i, device := range s.Devices {
		at := schema.Elem("devices", i)
		switch device {
		case "/dev/net/tun":
			const capability = "net_admin"
			if ok, mend := s.holds(capability); !ok {
				list = append(list, s.remark(at, mend, "the command runs as %s and can make no network interface: that takes %s", s.Run.User, capability))
			}
		case "/dev/fuse":
			if !syscalls.Open(s.Manifest.Run.Syscalls, "mount") {
				list = append(list, s.remark(at, "add \"sys_admin\" to capabilities, or say syscalls: nested: true", "nothing inside can mount what it serves by FUSE: mounts are closed"))
			}
		}
	}
	return list
}
