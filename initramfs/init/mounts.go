package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// setModes gives each tmpfs that libvirt has mounted in a container its permissions:
// libvirt's domain XML has no place for them, and makes all of them open to everyone.
// The others have them already, and need not be root's.
func setModes(mounts []manifest.Mount) error {
	for _, m := range mounts {
		if m.Kind != manifest.Tmpfs || m.Mode == 0 || !strings.HasPrefix(m.Target, "/dev/") {
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
