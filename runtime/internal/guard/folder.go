// Package guard is the process that watches the inner walls of a host's sandboxes, and
// has the kernel hold them again when somebody else has removed or changed one: a flush
// of the ruleset, the reload of a firewall, a slip of the hand.
//
// There is one guard for all sandboxes of a state folder. It is told by the folder's
// files which walls there are to be: what changes a wall changes its file first, under a
// lock under which the guard looks, too, so that the two never work against each other.
// It needs nothing else, and a new one goes on where one has ended. No sandbox depends
// on it: without it the walls stand, until somebody else removes one.
package guard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/compiler/firewall/nftables"
	"github.com/sbx-dev/sbx/internal/confine"
	"github.com/sbx-dev/sbx/internal/lockfile"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/internal/hostfile"
)

// ID is the user and group of the guard. No sandbox's name begins with a full stop.
func ID() uint32 { return compiler.HelperID(state.Guard) }

// Folder is the state folder whose sandboxes are guarded.
type Folder struct{ state.Folder }

// Of is the guard's view of a state folder.
func Of(f state.Folder) Folder { return Folder{f} }

// Change has the guard hold the named wall as the table says from now on, or no more
// where that is nil, and then calls do, which makes it so in the kernel. Where that
// fails, the guard goes on as before. Meanwhile it does not look.
func (f Folder) Change(ctx context.Context, name string, table *nftables.Table, do func() error) error {
	if _, err := os.Lstat(f.wall(name)); table == nil && errors.Is(err, fs.ErrNotExist) {
		return do() // as on a host that has no inner walls
	}
	if err := f.make(); err != nil {
		return err
	}
	unlock, err := f.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	before, err := os.ReadFile(f.wall(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := f.put(name, table); err != nil {
		return err
	}
	if err := do(); err != nil {
		if before != nil {
			return errors.Join(err, f.write(name, before))
		}
		return errors.Join(err, hostfile.RemoveFile(f.wall(name)))
	}
	if table != nil {
		return nil
	}
	if err := hostfile.RemoveFile(f.note(name)); err != nil {
		return err
	}
	if names, err := f.Names(); len(names) > 0 || err != nil {
		return err
	}
	// The guard goes by itself, and nobody misses it.
	if err := os.Truncate(f.Path(state.Guard, state.GuardLock), 0); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Ensure has a guard watch these walls, and all others of the folder. Without argv, which
// starts a process that calls Main, there is none.
func (f Folder) Ensure(ctx context.Context, argv []string, walls map[string]*nftables.Table) error {
	names, err := f.Names()
	if len(argv) == 0 || err != nil || len(names)+len(walls) == 0 {
		return err
	}
	if err := f.make(); err != nil {
		return err
	}
	unlock, err := f.lock(ctx)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(walls)) { // an older sbx had no guard
		err = errors.Join(err, f.put(name, walls[name]))
	}
	err = errors.Join(err, f.miss())
	unlock() // before a guard looks at them; of two that others start at once, one goes
	if err != nil {
		return err
	}
	if f.runs() || f.byUnit(ctx) {
		return nil
	}
	p, err := confine.Start(append(slices.Clone(argv), f.Path(state.Guard)))
	if err == nil {
		err = p.Begin()
	}
	if err != nil {
		return fmt.Errorf("cannot start the process that guards inner walls: %w", err)
	}
	return nil
}

// miss notes that there is to be a guard, from now on until the last wall goes.
func (f Folder) miss() error {
	life, err := lockfile.Open(f.Path(state.Guard, state.GuardLock))
	if err != nil {
		return err
	}
	_, err = life.WriteString("guarded\n")
	return errors.Join(err, life.Close())
}

// Missing says whether a guard should hold the named wall, and there is none any more.
func (f Folder) Missing(name string) bool {
	_, err := os.Lstat(f.wall(name))
	return err == nil && f.Ended()
}

// Ended says whether there is no guard, and is to be one.
func (f Folder) Ended() bool {
	wanted, locked := f.look()
	return wanted && !locked
}

// runs says whether there is a guard.
func (f Folder) runs() bool {
	_, locked := f.look()
	return locked
}

// look looks at the file that a guard has locked, and in which stands whether there is to
// be one.
func (f Folder) look() (wanted, locked bool) {
	life, err := os.Open(f.Path(state.Guard, state.GuardLock))
	if err != nil {
		return false, false // there never was one, or this user may not ask
	}
	defer life.Close()
	info, err := life.Stat()
	free, failed := lockfile.Try(life, lockfile.Shared)
	return err == nil && info.Size() > 0, !free && failed == nil
}

// Names are the walls that a guard is to hold.
func (f Folder) Names() (names []string, err error) {
	return namesIn(f.Path(state.Guard, state.Walls))
}

func namesIn(path string) (names []string, err error) {
	found, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) { // then it is no affair of this user's
		return nil, nil
	}
	for _, e := range found {
		if isName(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// isName says whether a table of that name can be a wall's: the name is that of a file.
func isName(name string) bool {
	return name != "" && len(name) < 256 && name[0] != '.' && !strings.ContainsAny(name, "/\x00")
}

func (f Folder) wall(name string) string { return f.Path(state.Guard, state.Walls, name) }
func (f Folder) note(name string) string { return f.Path(state.Guard, state.Notes, name) }

// make makes the folders, of which the guard reads one and writes the other.
func (f Folder) make() error {
	id := int(ID())
	for _, parts := range [][]string{{state.Guard}, {state.Guard, state.Walls}} {
		path, err := f.Make(parts...)
		if err == nil {
			err = os.Lchown(path, os.Geteuid(), id)
		}
		if err != nil {
			return err
		}
	}
	if err := hostfile.MkdirOwned(f.Path(state.Guard, state.Notes), id, id, 0o700); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// put writes what a wall is to be, or removes that.
func (f Folder) put(name string, table *nftables.Table) error {
	if !isName(name) {
		return fmt.Errorf("%q cannot be the name of an inner wall", name)
	}
	if table == nil {
		return hostfile.RemoveFile(f.wall(name))
	}
	data, err := table.Encode()
	if err != nil {
		return err
	}
	if before, err := os.ReadFile(f.wall(name)); err == nil && bytes.Equal(before, data) {
		return nil
	}
	return f.write(name, data)
}

// write has the file there whole or not at all.
func (f Folder) write(name string, data []byte) error {
	partial := f.wall(".new")
	if err := hostfile.WriteOwned(partial, data, 0, int(ID()), 0o640); err != nil {
		return err
	}
	return os.Rename(partial, f.wall(name))
}

// lockLimit is how long the guard, or another sbx, may have the lock: each has it for one
// wall, which takes the kernel seconds where it is one of the largest.
const lockLimit = 5 * time.Minute

// lock keeps the guard, and every other sbx, from looking at walls and changing them.
func (f Folder) lock(ctx context.Context) (unlock func(), err error) {
	lock, err := lockfile.Open(f.Path(state.Guard, state.GuardChanges))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, lockLimit, fmt.Errorf("for %v: the guard of inner walls (sbx guard), or another sbx, hangs or is stopped: find it with ps, and end it", lockLimit))
	defer cancel()
	if err := lockfile.Wait(ctx, lock, lockfile.Exclusive); err != nil {
		lock.Close()
		return nil, err
	}
	return func() { lock.Close() }, nil
}
