// Package removal takes away what sbx has made of a sandbox on its host and in libvirt.
// What the sandbox itself wrote stays.
package removal

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
	"github.com/sbx-dev/sbx/runtime/internal/drivers"
	"github.com/sbx-dev/sbx/runtime/internal/hostfile"
	"github.com/sbx-dev/sbx/runtime/internal/jobs"
	"github.com/sbx-dev/sbx/runtime/internal/keep"
	"github.com/sbx-dev/sbx/runtime/internal/kinds"
	"github.com/sbx-dev/sbx/runtime/internal/known"
	"github.com/sbx-dev/sbx/runtime/internal/locks"
	"github.com/sbx-dev/sbx/runtime/internal/publish"
	"github.com/sbx-dev/sbx/runtime/internal/sockets"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema"
)

// Sandbox is one that is to go. Whoever removes it holds the lock of its name.
type Sandbox struct {
	Name     string
	Kind     schema.Backend
	Metadata *compiler.Metadata // names its filters and networks
}

// Remover removes sandboxes of a host.
type Remover struct {
	Host    *kinds.Host
	Drivers *drivers.Drivers
	Locks   locks.Locks
}

// cleanLimit is how long cleaning up, which no signal ends, waits for others to let go
// of what sandboxes share: as long as many of them may take to start, one by one.
const cleanLimit = 10 * time.Minute

// WithLog removes a sandbox with libvirt's log of it, which a failed start leaves to be
// read.
func (r *Remover) WithLog(conn *libvirt.Connect, s Sandbox) error {
	if err := r.Remove(conn, s); err != nil || !r.Drivers.Local() {
		return err
	}
	if err := known.Of(s.Kind).RemoveLog(kinds.Logs, s.Name); err != nil {
		return fmt.Errorf("all of it is removed but libvirt's log: %w", err)
	}
	return nil
}

// Remove stops a sandbox and takes it away, its domain last: of that, its filters, its
// networks unless others are on them, its policies, units and files. It may be called
// again after it failed or was interrupted.
func (r *Remover) Remove(conn *libvirt.Connect, s Sandbox) error {
	dom, err := virt.Lookup(conn, s.Name)
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
	unlock, err := r.Locks.Lock(clean, locks.All)
	if err != nil {
		return err
	}
	defer unlock()
	// Before the files: of a sandbox without a domain these alone say that there is something.
	for _, f := range s.Metadata.Filters {
		if err := bound.RemoveFilter(clean, conn, f, r.Drivers.Local(), r.Host.Folder); err != nil {
			return err
		}
	}
	if err := r.fromHost(s); err != nil {
		return err
	}
	if dom != nil {
		if err := forget(conn, dom); err != nil {
			return err
		}
	}
	for _, n := range s.Metadata.Networks {
		if err := virt.ReleaseNetwork(conn, r.Drivers.EachDriver, n, s.Name, r.Drivers.Local()); err != nil {
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

// fromHost removes what the host holds of a sandbox beside libvirt, and the versions of
// sbx-init that only it had. Another machine's files cannot be reached from here.
func (r *Remover) fromHost(s Sandbox) error {
	if !r.Drivers.Local() {
		r.Host.Log(fmt.Sprintf("%s: its folder stays on that machine, where sbx down removes it: %s", s.Name, filepath.Join(compiler.StateDir, s.Name)))
		return nil
	}
	if err := confinement.Unload(s.Name); err != nil {
		return err
	}
	if err := jobs.Remove(s.Name); err != nil {
		return err
	}
	if err := r.Folder(s); err != nil {
		return err
	}
	if err := known.Of(s.Kind).RemoveRuns(kinds.Runs, s.Name); err != nil {
		return err
	}
	return r.Host.Inits.Prune()
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

// Folder removes the sandbox's folder alone. What somebody else put into it stays, and
// so does the folder then.
func (r *Remover) Folder(s Sandbox) error {
	k, err := known.Named(s.Kind)
	if err != nil {
		return err
	}
	dir := r.Host.Folder.Path(s.Name)
	if err := publish.Stop(dir); err != nil {
		return err
	}
	if err := keep.Remove(dir); err != nil {
		return err
	}
	if err := k.Backend(r.Host).Clear(dir); err != nil {
		return err
	}
	if err := (sockets.Folders{Folder: r.Host.Folder}).Prune(); err != nil {
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
