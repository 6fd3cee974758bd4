package embed

import (
	"path/filepath"
	"slices"
)

// HasDriver says whether libvirt's QEMU driver is there to be embedded, as far as
// the folders below root that distributions have for drivers tell.
func HasDriver(root string) bool {
	known := false
	for _, place := range []string{"usr/lib/*/libvirt", "usr/lib/libvirt", "usr/lib64/libvirt"} {
		found, err := filepath.Glob(filepath.Join(root, place, "connection-driver/*.so"))
		if err != nil {
			return true
		}
		known = known || len(found) > 0
		if slices.ContainsFunc(found, func(f string) bool { return filepath.Base(f) == "libvirt_driver_qemu.so" }) {
			return true
		}
	}
	return !known
}
