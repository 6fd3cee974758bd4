package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/confinement"
	"github.com/sbx-dev/sbx/runtime/internal/hostfile"
	"github.com/sbx-dev/sbx/runtime/internal/jobs"
	"github.com/sbx-dev/sbx/runtime/internal/keep"
	"github.com/sbx-dev/sbx/runtime/internal/kinds"
	"github.com/sbx-dev/sbx/runtime/internal/known"
	"github.com/sbx-dev/sbx/runtime/internal/locks"
	"github.com/sbx-dev/sbx/runtime/internal/lost"
	"github.com/sbx-dev/sbx/runtime/internal/publish"
	"github.com/sbx-dev/sbx/runtime/internal/sequence"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema"
)

// Down stops the sandbox as its profile says it wants to be stopped, and removes
// everything that Up made for it; what the sandbox itself wrote stays. It says
// whether there was anything. A sandbox of another maker is an error.
func (r *Runtime) Down(ctx context.Context, name string) (found bool, err error) {
	if err := checkName(name); err != nil {
		return false, err
	}
	if r.drivers.Local() && r.embeddedNamed(name) != nil {
		return true, errEmbedded(name)
	}
	unlock, err := r.locks.Lock(ctx, name)
	if err != nil {
		return false, err
	}
	defer unlock()
	err = r.drivers.EachKind(func(conn *libvirt.Connect, kind schema.Backend) (bool, error) {
		one, err := r.down(ctx, conn, name, kind)
		found = found || one
		if err != nil {
			err = fmt.Errorf("%s: %w", name, err)
		}
		return true, err
	})
	if err != nil {
		return found, err
	}
	if !found && r.drivers.Local() {
		if found, err = r.downLost(name); err != nil {
			return found, fmt.Errorf("%s: %w", name, err)
		}
	}
	return found, nil
}

// down removes the sandbox from one connection.
func (r *Runtime) down(ctx context.Context, conn *libvirt.Connect, name string, kind schema.Backend) (bool, error) {
	dom, m, err := virt.LookupOwn(conn, name)
	if dom == nil || err != nil {
		return false, err
	}
	defer dom.Free()
	if err := r.stopGently(ctx, dom, name, kind); err != nil {
		return true, err
	}
	return true, r.removeAll(conn, name, kind, m)
}

// downLost removes what is left of a sandbox whose domain somebody has removed,
// and says whether there was anything.
func (r *Runtime) downLost(name string) (bool, error) {
	there, err := r.lost().Has(name)
	if !there || err != nil {
		return false, err
	}
	kind := r.lost().Kind(name)
	conn, err := r.drivers.Connect(kind)
	if err != nil {
		return true, err
	}
	left, err := lost.Disown(conn, name)
	if err != nil {
		return true, err
	}
	return true, r.removeAll(conn, name, kind, left)
}

func (r *Runtime) lost() lost.Lost {
	return lost.Lost{Folder: r.state(), Locks: r.locks, Drivers: r.drivers}
}

// removeAll takes a sandbox away with libvirt's log of it, which a failed start
// leaves to be read.
func (r *Runtime) removeAll(conn *libvirt.Connect, name string, kind schema.Backend, m *compiler.Metadata) error {
	if err := r.remove(conn, name, kind, m); err != nil || !r.drivers.Local() {
		return err
	}
	if err := known.Of(kind).RemoveLog(kinds.Logs, name); err != nil {
		return fmt.Errorf("all of it is removed but libvirt's log: %w", err)
	}
	return nil
}

// cleanLimit is how long cleaning up, which no signal ends, waits for others to let go
// of what sandboxes share: as long as many of them may take to start, one by one.
const cleanLimit = 10 * time.Minute

// remove takes a sandbox away, its domain last. It may be called again after it
// failed or was interrupted.
func (r *Runtime) remove(conn *libvirt.Connect, name string, kind schema.Backend, m *compiler.Metadata) error {
	dom, err := virt.Lookup(conn, name)
	if err != nil {
		return err
	}
	if dom != nil {
		defer dom.Free()
		if err := virt.Stop(dom); err != nil {
			return fmt.Errorf("cannot stop: %w", err)
		}
	}
	clean, cancel := context.WithTimeoutCause(context.Background(), cleanLimit, fmt.Errorf("for %v: it hangs, or is stopped", cleanLimit))
	defer cancel()
	unlock, err := r.locks.Lock(clean, locks.All)
	if err != nil {
		return err
	}
	defer unlock()
	// Before the files: of a sandbox without a domain these alone say that there is something.
	for _, f := range m.Filters {
		if err := bound.RemoveFilter(conn, f, r.drivers.Local()); err != nil {
			return err
		}
	}
	if r.drivers.Local() {
		if err := confinement.Unload(name); err != nil {
			return err
		}
		if err := jobs.Remove(name); err != nil {
			return err
		}
		if err := r.removeFiles(name, kind); err != nil {
			return err
		}
	} else {
		r.options.Log(fmt.Sprintf("%s: its folder stays on that machine, where sbx down removes it: %s", name, filepath.Join(compiler.StateDir, name)))
	}
	if dom != nil {
		if err := forget(conn, dom); err != nil {
			return err
		}
	}
	for _, n := range m.Networks {
		if err := virt.ReleaseNetwork(conn, r.drivers.EachDriver, n, name); err != nil {
			return err
		}
	}
	if dom == nil {
		return nil
	}
	err = dom.Undefine()
	if virt.IsGone(err) || virt.ErrorCode(err) == libvirt.ERR_OPERATION_INVALID {
		return nil // it was transient, and gone when it stopped
	}
	return virt.Plain(err)
}

// forget withdraws the names of a domain that may have gone with its end.
func forget(conn *libvirt.Connect, dom *libvirt.Domain) error {
	d, err := virt.Describe(dom, libvirt.DOMAIN_XML_INACTIVE)
	if virt.IsGone(err) {
		return nil
	}
	if err != nil {
		return virt.Plain(err)
	}
	return virt.WithdrawNames(conn, d)
}

// removeFiles removes the sandbox's folder, and the versions of sbx-init that
// only it had.
func (r *Runtime) removeFiles(name string, kind schema.Backend) error {
	if err := r.removeDir(name, kind); err != nil {
		return err
	}
	return r.host.Inits.Prune()
}

// removeDir removes the sandbox's folder. What somebody else put into it stays,
// and so does the folder then.
func (r *Runtime) removeDir(name string, kind schema.Backend) error {
	backend, err := r.backend(kind)
	if err != nil {
		return err
	}
	dir := r.state().Path(name)
	if err := publish.Stop(dir); err != nil {
		return err
	}
	if err := keep.Remove(dir); err != nil {
		return err
	}
	if err := backend.Clear(dir); err != nil {
		return err
	}
	if err := errors.Join(hostfile.RemoveFile(confinement.File(dir)), jobs.Forget(dir)); err != nil {
		return err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

// DownOrder gives the names in the order in which their sandboxes are to be taken down:
// who starts after another one, or is on its network, goes before it.
func (r *Runtime) DownOrder(names []string) ([]string, error) {
	if len(names) < 2 {
		return names, nil
	}
	return sequence.Down(names, r.drivers.EachKind)
}

// DownAll takes all sandboxes down that sbx made, those of sbx run and what is left
// of lost and interrupted ones among them, and calls done for each. One that fails
// does not stop the others.
func (r *Runtime) DownAll(ctx context.Context, done func(name string, err error)) error {
	list, err := r.List()
	if err != nil {
		return err
	}
	names := make([]string, len(list))
	for i, s := range list {
		names[i] = s.Name
	}
	var failed []error
	take := func(names []string) {
		for _, name := range names {
			_, err := r.Down(ctx, name)
			failed = append(failed, err)
			done(name, err)
		}
	}
	sorted, err := r.DownOrder(names)
	if err != nil {
		return err
	}
	take(sorted)
	if !r.drivers.Local() {
		return errors.Join(failed...)
	}
	failed = append(failed, r.sweep(ctx))
	left, err := r.lost().Find(map[string]bool{})
	names = nil
	for _, c := range left {
		names = append(names, c.Sandbox)
	}
	take(names)
	return errors.Join(append(failed, err)...)
}
