package machine

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// BeginRoot moves this process into an in-memory root with what every machine's has: the
// kernel's file systems and the devices. Nothing of the initrd is left then.
func BeginRoot() error {
	if err := switchRoot(); err != nil {
		return err
	}
	if err := mountKernel(); err != nil {
		return err
	}
	return makeDevices()
}

// Assemble makes of that root the one which the manifest describes: with the exports and
// everything else mounted in it.
func Assemble(m *manifest.Manifest) error {
	if err := makeNodes(m.Root); err != nil {
		return err
	}
	for i := range m.Mounts {
		if err := mountOne(&m.Mounts[i]); err != nil {
			return err
		}
	}
	return giveAway(m.Mounts)
}

// switchRoot replaces the root by an empty one. What the initrd held is removed
// first, which gives its memory back.
func switchRoot() error {
	const root = "/root"
	for _, path := range []string{manifest.InitPath, manifest.ModulesPath, "/.sbx"} {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	if err := (mount{fstype: "tmpfs", target: root, flags: unix.MS_NODEV | unix.MS_NOSUID, data: "mode=0755,size=64m"}).make(); err != nil {
		return err
	}
	for _, path := range []string{"/dev", "/proc", "/sys"} {
		if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("cannot unmount the initrd's %s: %w", path, err)
		}
	}
	if err := os.Chdir(root); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("cannot switch the root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("cannot switch the root: %w", err)
	}
	return os.Chdir("/")
}

// makeNodes makes the folders, files and links of the root.
func makeNodes(nodes []manifest.Node) error {
	for _, n := range nodes {
		var err error
		switch n.Kind {
		case manifest.Dir:
			err = os.MkdirAll(n.Path, orDefault(n.Mode, 0o755))
		case manifest.File:
			err = os.WriteFile(n.Path, nil, orDefault(n.Mode, 0o644))
		case manifest.Link:
			err = os.Symlink(n.Link, n.Path)
		default:
			err = fmt.Errorf("the manifest has a node of the unknown kind %q", n.Kind)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func orDefault(mode manifest.Mode, otherwise os.FileMode) os.FileMode {
	if mode == 0 {
		return otherwise
	}
	return os.FileMode(mode)
}

// mountKernel mounts the kernel's file systems as a container has them.
func mountKernel() error {
	const plain = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	for _, m := range []mount{
		{fstype: "proc", target: "/proc", flags: plain},
		{fstype: "sysfs", target: "/sys", flags: plain | unix.MS_RDONLY},
		{fstype: "tmpfs", target: "/dev", flags: unix.MS_NOSUID | unix.MS_NOEXEC, data: "mode=0755,size=64k"},
		{fstype: "devpts", target: "/dev/pts", flags: unix.MS_NOSUID | unix.MS_NOEXEC, data: "newinstance,ptmxmode=0666,mode=0620,gid=5"},
	} {
		if err := m.make(); err != nil {
			return err
		}
	}
	return nil
}

// makeDevices makes the devices that every program may count on, and no others.
func makeDevices() error {
	for _, d := range []struct {
		name         string
		major, minor uint32
	}{
		{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0},
	} {
		path := "/dev/" + d.name
		if err := unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(d.major, d.minor))); err != nil {
			return fmt.Errorf("cannot make %s: %w", path, err)
		}
		if err := os.Chmod(path, 0o666); err != nil { // whatever the umask
			return err
		}
	}
	for name, target := range map[string]string{
		"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2",
	} {
		if err := os.Symlink(target, "/dev/"+name); err != nil {
			return err
		}
	}
	return nil
}

// Seal makes the root, its devices and what would change the kernel read-only, to
// root as well.
func Seal() error {
	for _, path := range []string{"/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/acpi"} {
		info, err := os.Stat(path)
		if os.IsNotExist(err) { // the kernel has no such part
			continue
		}
		if err != nil {
			return err
		}
		if err := bind(path, path, !info.IsDir(), true); err != nil {
			return err
		}
	}
	for _, path := range []string{"/dev", "/"} {
		if err := unix.Mount("", path, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
			return fmt.Errorf("cannot make %s read-only: %w", path, err)
		}
	}
	return nil
}
