package schema

import (
	"strings"

	"github.com/sbx-dev/sbx/schema/diag"
)

// deviceUses are what devices are for, by how their paths begin.
var deviceUses = []struct{ begins, use string }{
	{"/dev/fuse", "file systems that a program inside serves"},
	{"/dev/kvm", "the host's hardware virtualisation"},
	{"/dev/net/tun", "network interfaces that a program inside serves"},
	{"/dev/dri/renderD", "a graphics card of the host's"},
	{"/dev/ttyACM", "what is at the host's serial line"},
	{"/dev/ttyUSB", "what is at the host's serial line"},
	{"/dev/video", "a camera of the host's"},
}

// DeviceUse is what a device that a profile can name is for.
func DeviceUse(path string) string {
	for _, d := range deviceUses {
		if strings.HasPrefix(path, d.begins) {
			return d.use
		}
	}
	return "a device of the host's"
}

// devices checks that the backend has any.
func (c *checker) devices() {
	const at = "devices"
	c.twice(at, c.Devices)
	if len(c.Devices) == 0 || c.Backend.ask().devices {
		return
	}
	d := c.fail(diag.OtherBackend, at, "remove them, or have a container", "a machine has a kernel of its own, which knows nothing of the host's devices: %s", onlyFor("they are", func(t traits) bool { return t.devices }))
	c.note(d, "backend", "the backend is chosen here")
}
