package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// mount is one call of mount(2), onto a folder or file that is made if missing.
type mount struct {
	source string
	target string
	fstype string
	flags  uintptr
	data   string
	file   bool // the target is a file
}

func (m mount) make() error {
	if err := mountPoint(m.target, m.file); err != nil {
		return err
	}
	source := m.source
	if source == "" {
		source = m.fstype
	}
	if err := unix.Mount(source, m.target, m.fstype, m.flags, m.data); err != nil {
		return fmt.Errorf("cannot mount %s: %w", m.target, err)
	}
	return nil
}

// mountPoint makes what something is to be mounted on, with its parents.
func mountPoint(path string, file bool) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir() == file:
		return fmt.Errorf("cannot mount on %s: one of the two is a folder, and the other is a file", path)
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if file {
		if err = os.MkdirAll(filepath.Dir(path), 0o755); err == nil {
			err = os.WriteFile(path, nil, 0o644)
		}
	} else {
		err = os.MkdirAll(path, 0o755)
	}
	if errors.Is(err, unix.EROFS) || errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("cannot mount on %s: it does not exist in the exposed folder around it, which is read-only: create it on the host (%w)", path, err)
	}
	return err
}

// bind makes source appear at target as well.
func bind(source, target string, file, readOnly bool) error {
	m := mount{source: source, target: target, flags: unix.MS_BIND, file: file}
	if err := m.make(); err != nil || !readOnly {
		return err
	}
	if err := unix.Mount("", target, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("cannot make %s read-only: %w", target, err)
	}
	return nil
}
