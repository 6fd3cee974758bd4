package kinds

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

// Runs is where libvirtd's drivers have a folder each for what is only there while a
// sandbox is.
const Runs = "/run/libvirt"

// RemoveRuns removes what libvirtd has made there for the named sandbox, no longer uses, and
// leaves until the host's next start: empty folders and sockets. Sandboxes that have a name
// of their own each would have them pile up. The drivers have a folder each below runs. The
// sandbox has ended.
func (k *Kind) RemoveRuns(runs, name string) error {
	folder, err := k.folder(runs)
	if folder == nil || err != nil {
		return err
	}
	defer folder.Close()
	for _, end := range k.Leaves {
		info, err := folder.Lstat(name + end)
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() && info.Mode().Type() != fs.ModeSocket {
			continue
		}
		if err == nil {
			err = folder.Remove(name + end)
		}
		used := errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EBUSY)
		if err != nil && !used && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
