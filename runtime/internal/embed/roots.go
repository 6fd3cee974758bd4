package embed

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/sbx-dev/sbx/internal/lockfile"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/internal/hostfile"
)

// maxRoots is how many processes at once have a root folder: one at a time uses one.
const maxRoots = 1024

// roots are the root folders that are this process's, locked, by their state folders, and
// how many connections each is used by.
var roots = struct {
	sync.Mutex
	of   map[state.Folder]*os.File
	used map[state.Folder]int
}{of: make(map[state.Folder]*os.File), used: make(map[state.Folder]int)}

// enterRoot counts a connection.
func enterRoot(folder state.Folder) {
	roots.Lock()
	defer roots.Unlock()
	roots.used[folder]++
}

// leaveRoot counts one that has been closed, and says whether it was the last.
func leaveRoot(folder state.Folder) bool {
	roots.Lock()
	defer roots.Unlock()
	roots.used[folder]--
	return roots.used[folder] == 0
}

// ownRoot gives this process's root folder, by the file in it that is locked. It stays so
// until the process ends: as long does libvirt's driver keep a lock of its own in there,
// whatever is closed, and nobody else's can begin.
func ownRoot(folder state.Folder) (*os.File, error) {
	roots.Lock()
	defer roots.Unlock()
	if root := roots.of[folder]; root != nil {
		return root, nil
	}
	root, err := takeRoot(folder)
	if err != nil {
		return nil, err
	}
	roots.of[folder] = root
	return root, nil
}

// takeRoot finds a root folder that no other process uses, or makes one. It is
// this process's while the file is open.
func takeRoot(folder state.Folder) (*os.File, error) {
	if _, err := folder.Make(state.Embed, state.EmbedCache); err != nil {
		return nil, err
	}
	var left error
	for i := range maxRoots {
		name := strconv.Itoa(i)
		if _, err := folder.Make(state.Embed, name, state.EmbedConfig); err != nil {
			return nil, err
		}
		lock, err := lockRoot(folder.Path(state.Embed, name))
		if err != nil {
			return nil, err
		}
		if lock == nil {
			continue
		}
		if left = clearRoot(filepath.Dir(lock.Name())); left != nil {
			lock.Close()
			continue
		}
		if err := fillRoot(filepath.Dir(lock.Name())); err != nil {
			lock.Close()
			return nil, err
		}
		return lock, nil
	}
	return nil, errors.Join(fmt.Errorf("all %d folders in %s are in use", maxRoots, folder.Path(state.Embed)), left)
}

// lockRoot makes a root folder this process's while the file is open; nil where it is
// another one's.
func lockRoot(dir string) (*os.File, error) {
	lock, err := lockfile.Open(filepath.Join(dir, ".lock"))
	if err != nil {
		return nil, err
	}
	if free, err := lockfile.Try(lock, lockfile.Exclusive); !free || err != nil {
		lock.Close()
		return nil, err
	}
	return lock, nil
}

// ClearFree clears the root folders that are no process's. What was killed has left things
// in its own, and the next process takes the first that is free, which may be another one.
func ClearFree(folder state.Folder) error {
	dirs, err := os.ReadDir(folder.Path(state.Embed))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	failed := []error{err}
	for _, d := range dirs {
		if n, err := strconv.Atoi(d.Name()); err != nil || n < 0 || n >= maxRoots || !d.IsDir() {
			continue
		}
		failed = append(failed, clearFree(folder.Path(state.Embed, d.Name())))
	}
	return errors.Join(failed...)
}

func clearFree(dir string) error {
	lock, err := lockRoot(dir)
	if lock == nil || err != nil {
		return err
	}
	defer lock.Close()
	return clearRoot(dir)
}

// clearRoot removes what drivers make in their folder, through no link, after the machines
// that are left of them. Whoever calls it holds the folder.
func clearRoot(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := endMachines(root); err != nil {
		return err
	}
	for _, made := range []string{"lib", "log", "run"} {
		if err := root.RemoveAll(made); err != nil {
			return err
		}
	}
	return nil
}

// fillRoot makes what a driver that begins in a clear folder needs there.
func fillRoot(dir string) error {
	config, err := config()
	if err != nil {
		return err
	}
	if err := hostfile.WriteAtomic(filepath.Join(dir, state.EmbedConfig, "qemu.conf"), config, 0o644); err != nil {
		return err
	}
	err = os.Symlink("../"+state.EmbedCache, filepath.Join(dir, state.EmbedCache))
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}
