// Package machine is what the first process does in a virtual machine and not in
// a container, where libvirt has done it: it loads the kernel's modules, makes
// the root out of exports and memory, and switches the machine off.
package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/initramfs"
)

// Here says whether this process is the first one of a machine: the kernel calls
// it by its place in the initrd.
func Here() bool {
	return os.Getpid() == 1 && os.Args[0] == initramfs.InitPath
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
	return loadModules(initramfs.ModulesPath)
}

// loadModules loads all files of the folder in the order of their names.
func loadModules(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.ko"))
	if err != nil {
		return err
	}
	slices.Sort(files)
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		err = unix.FinitModule(int(file.Fd()), "", 0)
		file.Close()
		if err != nil {
			return fmt.Errorf("cannot load the kernel module %s: %w", filepath.Base(name), err)
		}
	}
	return nil
}

// PowerOff writes everything out and switches the machine off. It returns only
// where that fails.
func PowerOff() error {
	unix.Sync()
	return unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}
