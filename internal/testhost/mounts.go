package testhost

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// overlaid are the machine's folders that the host may change for itself. They
// are overlaid as a whole rather than covered in part, so that nothing is mounted
// below them, as on a plain host.
var overlaid = []string{"/etc", "/srv", "/var/lib", "/var/log"}

// emptied are folders that the host has empty, whatever the machine has in them;
// gone are those that it has not: sbx never ran on it. The machine's libvirtd may
// be writing there (it is another host's, where hosts are nested), so they are
// hidden from the first and not removed.
var (
	emptied = []string{"/etc/libvirt", "/var/lib/libvirt", "/var/log/libvirt"}
	gone    = []string{"/var/lib/sbx", "/var/log/sbx"}
)

// setUpMounts gives the host its own /proc, /sys, control groups and /run, and
// its own view of the folders that it writes to.
func setUpMounts() error {
	trees, err := hierarchies()
	if err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("cannot make mounts private: %w", err)
	}
	// What is mounted below the machine's /sys would still be listed when covered.
	if err := unix.Unmount("/sys", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount /sys: %w", err)
	}
	for _, m := range []struct{ fstype, target, options string }{
		{"proc", "/proc", ""},
		{"sysfs", "/sys", ""},
		{"tmpfs", "/run", "mode=755"},
	} {
		if err := unix.Mount(m.fstype, m.target, m.fstype, 0, m.options); err != nil {
			return fmt.Errorf("mount %s: %w", m.target, err)
		}
	}
	if err := mountGroups(trees); err != nil {
		return err
	}
	if err := keepShipped(); err != nil {
		return err
	}
	return overlay("/run/testhost")
}

// overlay mounts a writable layer, kept on a tmpfs at layers, over each folder.
func overlay(layers string) error {
	if err := os.Mkdir(layers, 0o700); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", layers, "tmpfs", 0, "mode=700"); err != nil {
		return fmt.Errorf("mount %s: %w", layers, err)
	}
	for _, dir := range overlaid {
		upper := filepath.Join(layers, dir, "upper")
		work := filepath.Join(layers, dir, "work")
		for _, d := range []string{upper, work} {
			if err := os.MkdirAll(d, 0o755); err != nil {
				return err
			}
		}
		if err := hide(layers, dir); err != nil {
			return err
		}
		options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", dir, upper, work)
		if err := unix.Mount("overlay", dir, "overlay", 0, options); err != nil {
			return fmt.Errorf("mount an overlay on %s: %w", dir, err)
		}
	}
	return nil
}

// hide has dir's upper layer hide what the host does not share with the machine, in
// the kernel's own marks (filesystems/overlayfs, "whiteouts and opaque directories").
func hide(layers, dir string) error {
	upper := func(path string) string { return filepath.Join(layers, dir, "upper", strings.TrimPrefix(path, dir)) }
	for _, path := range emptied {
		if !strings.HasPrefix(path, dir+"/") {
			continue
		}
		if err := os.Mkdir(upper(path), 0o755); err != nil {
			return err
		}
		if err := unix.Setxattr(upper(path), "trusted.overlay.opaque", []byte("y"), 0); err != nil {
			return fmt.Errorf("cannot hide %s: %w", path, err)
		}
	}
	for _, path := range gone {
		if !strings.HasPrefix(path, dir+"/") {
			continue
		}
		if err := unix.Mknod(upper(path), unix.S_IFCHR, 0); err != nil {
			return fmt.Errorf("cannot hide %s: %w", path, err)
		}
	}
	return nil
}

// setUpLoopback sets the lo of the host's network up.
func setUpLoopback() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(lo)
}
