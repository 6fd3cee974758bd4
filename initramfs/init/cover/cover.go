// Package cover hides what a container's /proc and /sys show and do of the host that
// no namespace parts: its devices, its keys and timers, its command line; and the
// manifest, which names paths of the host. Something empty that nobody can write to
// stands in its place.
package cover

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// hidden are the paths: those that runc's and podman's defaults mask or make
// read-only, and what has come up since. A kernel that has not got one has nothing
// to hide there.
var hidden = []string{
	"/proc/acpi",
	"/proc/asound",
	"/proc/bus",
	"/proc/cmdline",
	"/proc/fs",
	"/proc/interrupts",
	"/proc/irq",
	"/proc/kallsyms",
	"/proc/kcore",
	"/proc/key-users",
	"/proc/keys",
	"/proc/kmsg",
	"/proc/latency_stats",
	"/proc/sched_debug",
	"/proc/schedstat",
	"/proc/scsi",
	"/proc/softirqs",
	"/proc/sysrq-trigger",
	"/proc/timer_list",
	"/proc/timer_stats",
	"/proc/vmallocinfo",
	manifest.ManifestPath,
	"/sys/devices/virtual/powercap",
	"/sys/firmware",
	"/sys/fs/pstore",
	"/sys/kernel/debug",
	"/sys/kernel/security",
	"/sys/kernel/tracing",
}

// hiddenEach are those that each processor has.
var hiddenEach = []string{"/sys/devices/system/cpu/cpu[0-9]*/thermal_throttle"}

// Apply covers them. It takes CAP_SYS_ADMIN for the moment. stage is a folder that
// nothing uses yet.
func Apply(stage string) error {
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_RDONLY
	if err := unix.Mount("nothing", stage, "tmpfs", flags&^unix.MS_RDONLY, "size=16k,mode=0755"); err != nil {
		return fmt.Errorf("cannot hide what is the host's in /proc: %w", err)
	}
	defer unix.Unmount(stage, unix.MNT_DETACH)
	nothing := map[bool]string{true: stage + "/dir", false: stage + "/file"}
	if err := os.Mkdir(nothing[true], 0o555); err != nil {
		return err
	}
	if err := os.WriteFile(nothing[false], nil, 0o444); err != nil {
		return err
	}
	for _, made := range nothing { // whatever the umask
		if err := os.Chmod(made, 0o555); err != nil {
			return err
		}
	}
	paths := slices.Clone(hidden)
	for _, pattern := range hiddenEach {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		paths = append(paths, found...)
	}
	for _, path := range paths {
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := unix.Mount(nothing[info.IsDir()], path, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("cannot hide %s: %w", path, err)
		}
		if err := unix.Mount("", path, "", unix.MS_BIND|unix.MS_REMOUNT|flags, ""); err != nil {
			return fmt.Errorf("cannot hide %s: %w", path, err)
		}
	}
	return nil
}
