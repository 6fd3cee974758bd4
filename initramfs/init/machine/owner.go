package machine

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/accounts"
)

// giveAway gives what has been made in memory to whom the manifest says. Who that is,
// the machine's own files tell, which are all there only now.
func giveAway(mounts []manifest.Mount) error {
	for _, m := range mounts {
		if m.Owner == "" || m.Kind != manifest.Tmpfs && m.Kind != manifest.Inline {
			continue
		}
		u, err := accounts.Inside.Lookup(m.Owner)
		if err != nil {
			return err
		}
		if err := os.Chown(m.Target, int(u.UID), int(u.GID)); err != nil {
			return err
		}
		if err := unix.Chmod(m.Target, uint32(m.Mode)); err != nil { // of which a change of owner may clear something
			return err
		}
		if m.Kind == manifest.Inline {
			if err := unix.Mount("", m.Target, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, ""); err != nil {
				return err
			}
		}
	}
	return nil
}
