// Package machine is what the first process does in a virtual machine and not in
// a container, where libvirt has done it: it loads the kernel's modules, makes
// the root out of exports and memory, and switches the machine off.
package machine

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// Here says whether this process is the first one of a machine: the kernel calls
// it by its place in the initrd.
func Here() bool {
	return os.Getpid() == 1 && os.Args[0] == manifest.InitPath
}

// Boot makes the kernel usable: it mounts the kernel's own file systems where
// the initrd has them, and loads the modules that the initrd brings.
func Boot() error {
	for _, m := range []mount{
		{fstype: "devtmpfs", target: "/dev"},
		{fstype: "proc", target: "/proc"},
		{fstype: "sysfs", target: "/sys"},
	} {
		if err := m.make(); err != nil {
			return err
		}
	}
	return loadModules(manifest.ModulesPath)
}

// loadModules loads all files of the folder in the order of their names. One that
// cannot be loaded does not keep the others from it: among them is what this
// process needs to say so.
func loadModules(dir string) (failed error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.ko"))
	if err != nil {
		return err
	}
	slices.Sort(files)
	for _, name := range files {
		if err := loadModule(name); err != nil {
			failed = cmp.Or(failed, fmt.Errorf("cannot load the kernel module %s: %w", filepath.Base(name), err))
		}
	}
	return failed
}

// loadModule takes it that a module for a processor or a device which is not
// there is one of several that do the same: what needs it fails by itself.
func loadModule(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := unix.FinitModule(int(file.Fd()), "", 0); err != unix.ENODEV {
		return err
	}
	return nil
}

// PowerOff writes everything out and switches the machine off. It returns only
// where that fails.
func PowerOff() error {
	unix.Sync()
	return unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}
