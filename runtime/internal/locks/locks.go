package locks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sbx-dev/sbx/internal/lockfile"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Locks are of the sandboxes of a state folder.
type Locks struct {
	Folder state.Folder
	Log    func(line string) // is told of a wait
}

// All is the lock that guards what sandboxes must not share.
const All = ".all"

// Lock keeps every other sbx of this machine from working on the same sandbox
// until unlock is called or the process ends. Waiting for another one is told
// to the log.
func (l Locks) Lock(ctx context.Context, name string) (unlock func(), err error) {
	dir, err := l.Folder.Make(state.Locks)
	if err != nil {
		return nil, err
	}
	f, err := lockfile.Open(filepath.Join(dir, name))
	if err != nil {
		return nil, fmt.Errorf("cannot lock %s: %w", name, err)
	}
	locked, err := lockfile.Try(f, lockfile.Exclusive)
	if !locked && err == nil {
		if name != All {
			l.Log(name + ": waiting for another sbx that works on it")
		}
		err = lockfile.Wait(ctx, f, lockfile.Exclusive)
	}
	switch {
	case err == nil:
		return func() { f.Close() }, nil
	case errors.Is(err, lockfile.ErrBusy):
		err = fault.New(diag.Busy, "%s: another sbx works on it: %w", name, context.Cause(ctx))
	default:
		err = fmt.Errorf("cannot lock %s: %w", name, err)
	}
	f.Close()
	return nil, err
}

// IfIdle looks at a sandbox, and keeps every other sbx from working on it
// meanwhile. It does not look where one works on it just now: what there is to see
// then is that one's doing.
func (l Locks) IfIdle(name string, look func() error) error {
	f, err := os.Open(l.Folder.Path(state.Locks, name))
	if err != nil {
		return look() // nobody has ever worked on it, or this user may not ask
	}
	defer f.Close()
	idle, err := lockfile.Try(f, lockfile.Shared)
	if !idle || err != nil {
		return err
	}
	return look()
}
