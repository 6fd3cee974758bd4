package main

import (
	"fmt"
	"os"

	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// setModes gives each tmpfs of root's in a container its permissions: libvirt's domain
// XML has no place for them, and makes all that it mounts open to everyone. Those of
// others have theirs already, and are not this process's to change.
func setModes(mounts []manifest.Mount) error {
	for _, m := range mounts {
		if m.Kind != manifest.Tmpfs || m.Mode == 0 || m.Owner != "" {
			continue
		}
		mode := os.FileMode(m.Mode) & os.ModePerm
		if m.Mode&0o1000 != 0 {
			mode |= os.ModeSticky
		}
		if err := os.Chmod(m.Target, mode); err != nil {
			return fmt.Errorf("cannot set the mode of a tmpfs: %w", err)
		}
	}
	return nil
}
