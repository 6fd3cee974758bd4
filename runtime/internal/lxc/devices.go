package lxc

import (
	"io/fs"
	"os"

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
	}
	return nil
}
