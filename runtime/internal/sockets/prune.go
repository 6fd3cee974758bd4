package sockets

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/lockfile"
	"github.com/sbx-dev/sbx/internal/state"
)

// goneName begins the name of a folder that is being removed. No sandbox's does.
const goneName = ".gone-"

// Prune removes the folders of which no sandbox is an end any more, and what an earlier
// one was kept from removing.
func (f Folders) Prune() error {
	servers, err := os.ReadDir(f.Path(state.Sockets))
	if err != nil || len(servers) == 0 {
		return ignoreAbsence(err)
	}
	gone, err := f.retire()
	for _, dir := range gone { // not under the lock: what a server has made there may be much
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}

// retire puts those folders where no sandbox finds them, and gives all that are there. They
// are whole under the lock alone: later, another one may be about to be filled.
func (f Folders) retire() (gone []string, err error) {
	unlock, err := f.lock(context.Background()) // who holds it does so for a moment
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := f.retireUnused(); err != nil {
		return nil, err
	}
	return filepath.Glob(f.Path(state.Sockets, goneName+"*"))
}

func (f Folders) retireUnused() error {
	ends := sync.OnceValues(f.ends)
	servers, err := os.ReadDir(f.Path(state.Sockets))
	if err != nil {
		return err
	}
	for _, server := range servers {
		if strings.HasPrefix(server.Name(), ".") {
			continue
		}
		around := f.Path(state.Sockets, server.Name())
		folders, err := os.ReadDir(around)
		if err != nil {
			return err
		}
		for _, folder := range folders {
			used, err := f.used(socket{server.Name(), folder.Name()}, ends)
			if err != nil {
				return err
			}
			if used {
				continue
			}
			if err := f.discard(filepath.Join(around, folder.Name())); err != nil {
				return err
			}
		}
		if err := os.Remove(around); err != nil && !errors.Is(err, fs.ErrExist) { // one is in use
			return err
		}
	}
	return nil
}

// used says whether a sandbox is an end of a socket. Most often that is its server, which
// is looked at before all sandboxes are, of which there may be many.
func (f Folders) used(end socket, ends func() (map[socket]bool, error)) (used bool, err error) {
	err = f.of(end.server, func(e socket, _ manifest.Mount) { used = used || e == end })
	if used || err != nil {
		return used, err
	}
	all, err := ends()
	return all[end], err
}

// ends are those of which any sandbox is one.
func (f Folders) ends() (map[socket]bool, error) {
	found := map[socket]bool{}
	return found, f.each(func(_ string, end socket, _ manifest.Mount) { found[end] = true })
}

// discard puts a folder where Prune removes it.
func (f Folders) discard(path string) error {
	to, err := os.MkdirTemp(f.Path(state.Sockets), goneName)
	if err != nil {
		return err
	}
	return os.Rename(path, filepath.Join(to, filepath.Base(path)))
}

// clients are the sandboxes that connect to a socket, or did when they were started last.
func (f Folders) clients(end socket) (names []string, err error) {
	err = f.each(func(sandbox string, e socket, m manifest.Mount) {
		if e == end && !m.Writable && !slices.Contains(names, sandbox) {
			names = append(names, sandbox)
		}
	})
	return names, err
}

// each calls do with all ends of sockets that sandboxes of the state folder have.
func (f Folders) each(do func(sandbox string, end socket, m manifest.Mount)) error {
	entries, err := os.ReadDir(f.Path())
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if err := f.of(e.Name(), func(end socket, m manifest.Mount) { do(e.Name(), end, m) }); err != nil {
			return err
		}
	}
	return nil
}

// of calls do with all ends of sockets that a sandbox has, if there is one of the name.
func (f Folders) of(sandbox string, do func(end socket, m manifest.Mount)) error {
	orders, err := f.orders(sandbox)
	if orders == nil || err != nil {
		return err
	}
	for _, m := range orders.Mounts {
		if m.Kind == manifest.Socket {
			do(of(sandbox, m), m)
		}
	}
	return nil
}

// lock keeps other processes of sbx from looking at, making and removing folders.
func (f Folders) lock(ctx context.Context) (unlock func(), err error) {
	path, err := f.Make(state.Sockets)
	if err != nil {
		return nil, err
	}
	dir, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := lockfile.Wait(ctx, dir, unix.LOCK_EX); err != nil {
		dir.Close()
		return nil, err
	}
	return func() { dir.Close() }, nil
}

func ignoreAbsence(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
