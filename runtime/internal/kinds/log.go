package kinds

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Logs is where libvirtd's drivers have a folder of logs each.
const Logs = "/var/log/libvirt"

// RemoveLog removes the log that a libvirt keeps of the named sandbox for ever, and
// what virtlogd and logrotate have moved aside of it. The drivers of that libvirt have
// a folder each below logs. The sandbox has ended.
func (k *Kind) RemoveLog(logs, name string) error {
	folder, err := k.folder(logs)
	if folder == nil || err != nil {
		return err
	}
	defer folder.Close()
	entries, err := fs.ReadDir(folder.FS(), ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !isLogOf(e.Name(), name) {
			continue
		}
		if err := folder.Remove(e.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// folder opens what the kind's driver has below dir. It is nil where there is none, and
// where dir is the system's and this user not root, whose libvirtd is another.
func (k *Kind) folder(dir string) (*os.Root, error) {
	if (dir == Logs || dir == Runs) && os.Geteuid() != 0 {
		return nil, nil
	}
	folder, err := os.OpenRoot(filepath.Join(dir, k.Driver))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return folder, err
}

// isLogOf says whether a file's name is that of a sandbox's log: NAME.log, or what was
// moved aside, NAME.log.0 and NAME.log.1.gz.
func isLogOf(file, name string) bool {
	rest, ok := strings.CutPrefix(file, name+".log")
	if !ok || rest == "" {
		return ok
	}
	number, ok := strings.CutPrefix(strings.TrimSuffix(rest, ".gz"), ".")
	return ok && number != "" && strings.Trim(number, "0123456789") == ""
}
