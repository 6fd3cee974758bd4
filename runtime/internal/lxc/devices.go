package lxc

import (
	"errors"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// checkDevices refuses a sandbox whose devices the host has not: libvirt would say so
// only when it starts.
func checkDevices(paths []string) error {
	for i, path := range paths {
		info, err := os.Stat(path)
		at := schema.Elem("devices", i)
		switch {
		case err != nil:
			return fault.New(diag.NoSource, "%s: this host has no such device, or its driver is not loaded: %w", at, err)
		case info.Mode()&fs.ModeCharDevice == 0:
			return fault.New(diag.NoSource, "%s: %s is not a character device on this host", at, path)
		}
		if err := loadDriver(path); err != nil {
			return fault.New(diag.NoSource, "%s: this host has no driver for it: %w", at, err)
		}
	}
	return nil
}

// withoutDriver are the devices that a host may have before their drivers: kmod's static
// nodes (modules.devname).
var withoutDriver = []string{"/dev/fuse", "/dev/kvm", "/dev/net/tun"}

// loadDriver has the kernel load the driver of such a device, as whoever opens it does: a
// sandbox that SELinux confines may not have it load anything.
func loadDriver(path string) error {
	if !slices.Contains(withoutDriver, path) {
		return nil
	}
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err == nil {
		return f.Close()
	}
	if errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO) {
		return err
	}
	return nil // it has one
}
