package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// writeAtomic writes a file that is there whole or not at all.
func writeAtomic(path string, data []byte, mode fs.FileMode) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".new-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Chmod(mode); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// writeOwned writes a file of the given owner and mode, whatever the umask.
func writeOwned(path string, data []byte, uid, gid int, mode fs.FileMode) error {
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return err
	}
	return setOwner(path, uid, gid, mode)
}

// mkdirOwned makes a folder of the given owner and mode, whatever the umask.
func mkdirOwned(path string, uid, gid int, mode fs.FileMode) error {
	if err := os.Mkdir(path, 0o700); err != nil {
		return err
	}
	return setOwner(path, uid, gid, mode)
}

// setOwner changes the owner first: a change of owner clears mode bits.
func setOwner(path string, uid, gid int, mode fs.FileMode) error {
	if err := os.Lchown(path, uid, gid); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}

// removeUnlinked removes a file whose only name is path.
func removeUnlinked(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Sys().(*syscall.Stat_t).Nlink > 1 {
		return nil
	}
	return os.Remove(path)
}

// removeTree removes a folder that sbx made and all that is in it. Where
// something is mounted inside, it removes nothing: what lies behind a mount is
// not sbx's.
func removeTree(dir string) error {
	mounts, err := mountsBelow(dir)
	if err != nil {
		return err
	}
	if len(mounts) > 0 {
		return fmt.Errorf("%s: something is mounted on %s, so that sbx leaves the folder alone: umount it", dir, mounts[0])
	}
	return os.RemoveAll(dir)
}

// removeFile removes a file that may not be there.
func removeFile(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
