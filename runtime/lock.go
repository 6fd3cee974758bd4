package runtime

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// allNames is the lock that guards what sandboxes must not share.
const allNames = ".all"

// lock keeps every other sbx of this machine from working on the same sandbox
// until unlock is called or the process ends. Waiting for another one is told
// to the log.
func (r *Runtime) lock(ctx context.Context, name string) (unlock func(), err error) {
	dir, err := r.state().Make(state.Locks)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock %s: %w", name, err)
	}
	for told := false; ; told = true {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if err != unix.EWOULDBLOCK {
			f.Close()
			return nil, fmt.Errorf("cannot lock %s: %w", name, err)
		}
		if !told && name != allNames {
			r.options.Log(name + ": waiting for another sbx that works on it")
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fault.New(diag.Busy, "%s: another sbx works on it: %w", name, context.Cause(ctx))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// ifIdle looks at a sandbox, and keeps every other sbx from working on it
// meanwhile. It does not look where one works on it just now: what there is to see
// then is that one's doing.
func (r *Runtime) ifIdle(name string, look func() error) error {
	f, err := os.Open(r.state().Path(state.Locks, name))
	if err != nil {
		return look() // nobody has ever worked on it, or this user may not ask
	}
	defer f.Close()
	switch err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB); err {
	case nil:
		return look()
	case unix.EWOULDBLOCK:
		return nil
	default:
		return fmt.Errorf("cannot lock %s: %w", name, err)
	}
}
