package machine

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// exportOptions ask 9p for the largest messages that virtio carries, and for
// just the caching without which files cannot be mapped into memory: what
// changes on the host is seen here.
const exportOptions = "trans=virtio,version=9p2000.L,msize=512000,cache=mmap"

// stage is where an export stands for a moment, when one file is taken from it.
const stage = "/.sbx/stage"

// mountOne mounts what one entry of the manifest says.
func mountOne(m *manifest.Mount) error {
	var readOnly uintptr
	if !m.Writable {
		readOnly = unix.MS_RDONLY
	}
	switch m.Kind {
	case manifest.Export:
		return mountExport(m, readOnly)
	case manifest.Tmpfs:
		return mount{
			fstype: "tmpfs", target: m.Target, flags: unix.MS_NOSUID | unix.MS_NODEV,
			data: fmt.Sprintf("size=%d,mode=%o", m.Size, uint32(m.Mode)),
		}.make()
	case manifest.Inline:
		return mountInline(m)
	case manifest.Image:
		return mountImage(m, readOnly)
	}
	return fmt.Errorf("the manifest mounts the unknown kind %q on %s", m.Kind, m.Target)
}

// mountExport mounts a host folder, or the one file that an export holds. That
// it is read-only is the host's doing; the flag makes the errors plain.
func mountExport(m *manifest.Mount, readOnly uintptr) error {
	export := mount{
		source: m.Tag, target: m.Target, fstype: "9p",
		flags: unix.MS_NOSUID | unix.MS_NODEV | readOnly, data: exportOptions,
	}
	if !m.Single {
		return export.make()
	}
	export.target = stage
	if err := export.make(); err != nil {
		return err
	}
	if err := bind(filepath.Join(stage, manifest.SingleFile), m.Target, true, !m.Writable); err != nil {
		return err
	}
	return unix.Unmount(stage, unix.MNT_DETACH)
}

// mountInline makes a file of the manifest's own content. It stands in a file
// system of its own, as it does in a container, and so may lie in an export.
func mountInline(m *manifest.Mount) error {
	content, err := inlineContent(m)
	if err != nil {
		return err
	}
	memory := mount{fstype: "tmpfs", target: stage, flags: unix.MS_NOSUID | unix.MS_NODEV, data: "mode=0755"}
	if err := memory.make(); err != nil {
		return err
	}
	file := filepath.Join(stage, manifest.SingleFile)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		return err
	}
	if err := os.Chmod(file, os.FileMode(m.Mode)); err != nil {
		return err
	}
	// One that is to be given away becomes read-only then.
	if err := bind(file, m.Target, true, m.Owner == ""); err != nil {
		return err
	}
	return unix.Unmount(stage, unix.MNT_DETACH)
}

// inlineContent is an inline file's, with that of the host's file which it covers.
func inlineContent(m *manifest.Mount) ([]byte, error) {
	content := []byte(m.Content)
	if m.Source == "" {
		return content, nil
	}
	covered, err := os.Open(m.Target)
	if err != nil {
		return nil, err
	}
	defer covered.Close()
	following, err := io.ReadAll(io.LimitReader(covered, manifest.MaxFollowing))
	return append(content, following...), err
}

// mountImage mounts the disk whose serial number is the mount's tag, by the
// first of the known file systems that takes it.
func mountImage(m *manifest.Mount, readOnly uintptr) error {
	device, err := makeDisk(m.Tag)
	if err != nil {
		return err
	}
	defer os.Remove(device)
	for _, module := range manifest.ImageFileSystems {
		fstype := module
		if module == "isofs" {
			fstype = "iso9660"
		}
		err := mount{source: device, target: m.Target, fstype: fstype, flags: unix.MS_NOSUID | unix.MS_NODEV | readOnly}.make()
		if err == nil {
			return nil
		}
	}
	return fmt.Errorf("cannot mount the image %s on %s: it must hold one whole file system (%s), and a read-only one must have been unmounted cleanly",
		m.Source, m.Target, strings.Join(manifest.ImageFileSystems, ", "))
}

// makeDisk makes a node for the disk with the given serial number.
func makeDisk(serial string) (string, error) {
	disks, err := filepath.Glob("/sys/block/*/serial")
	if err != nil {
		return "", err
	}
	for _, file := range disks {
		found, err := os.ReadFile(file)
		if err != nil || strings.TrimSpace(string(found)) != serial {
			continue
		}
		number, err := os.ReadFile(filepath.Join(filepath.Dir(file), "dev"))
		if err != nil {
			return "", err
		}
		var major, minor uint32
		if _, err := fmt.Sscanf(string(number), "%d:%d", &major, &minor); err != nil {
			return "", fmt.Errorf("%s: %w", file, err)
		}
		node := "/dev/" + serial
		return node, unix.Mknod(node, unix.S_IFBLK|0o600, int(unix.Mkdev(major, minor)))
	}
	return "", fmt.Errorf("the machine has no disk with the serial number %s", serial)
}

// settleLimit is how long the processes that were killed may take to let go of
// their files.
const settleLimit = 10 * time.Second

// SettleImages leaves the file systems of writable images clean, so that they can
// be read without their journal. Nothing may run any more.
func SettleImages(mounts []manifest.Mount) error {
	var failed error
	for _, m := range mounts {
		if m.Kind != manifest.Image || !m.Writable {
			continue
		}
		err := unix.EBUSY
		for limit := time.Now().Add(settleLimit); err == unix.EBUSY && time.Now().Before(limit); time.Sleep(10 * time.Millisecond) {
			err, _ = unix.Mount("", m.Target, "", unix.MS_REMOUNT|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, "").(unix.Errno)
		}
		if err != 0 {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", m.Target, err))
		}
	}
	return failed
}
