package runtime

import (
	"context"
	"errors"
	"fmt"
	goruntime "runtime"
	"slices"
	"sync"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/runtime/internal/confinement"
	"github.com/sbx-dev/sbx/runtime/internal/embed"
	"github.com/sbx-dev/sbx/runtime/internal/lost"
	"github.com/sbx-dev/sbx/runtime/internal/removal"
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
	if r.embedded(name) {
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
	return true, r.remover().WithLog(conn, removal.Sandbox{Name: name, Kind: kind, Metadata: m})
}

// downLost removes what is left of a sandbox whose domain somebody has removed, or of
// one that was interrupted before it had any, and says whether there was anything.
func (r *Runtime) downLost(name string) (bool, error) {
	there, err := r.lost().Has(name)
	if err != nil {
		return false, err
	}
	if !there {
		return confinement.Withdraw(name)
	}
	kind := r.lost().Kind(name)
	conn, err := r.drivers.Connect(kind)
	if err != nil {
		return true, err
	}
	left, err := r.lost().Disown(conn, name)
	if err != nil {
		return true, err
	}
	return true, r.remover().WithLog(conn, removal.Sandbox{Name: name, Kind: kind, Metadata: left})
}

func (r *Runtime) lost() lost.Lost {
	return lost.Lost{Folder: r.state(), Locks: r.locks, Drivers: r.drivers}
}

// downAtOnce is how many sandboxes DownEach works on at once: what most of each takes is
// that libvirt waits for its processes.
func downAtOnce() int { return 2 * goruntime.NumCPU() }

// DownEach is Down of several, and calls done for each, one call at a time: who starts
// after another one, or is on its network, goes before it, and of the others several go at
// once. One that fails does not stop the others.
func (r *Runtime) DownEach(ctx context.Context, names []string, done func(name string, found bool, err error)) error {
	var before map[string][]string
	if len(names) > 1 {
		var err error
		if before, err = sequence.Down(names, r.drivers.EachKind); err != nil {
			return err
		}
		r.withdraw(ctx, names)
	}
	var told sync.Mutex
	var failed []error
	once := map[string]bool{}
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		twice := once[name]
		once[name] = true
		return twice
	})
	sequence.Run(names, before, downAtOnce(), func(name string, _ error) error {
		found, err := r.Down(ctx, name)
		told.Lock()
		defer told.Unlock()
		failed = append(failed, err)
		done(name, found, err)
		return err
	})
	return errors.Join(failed...)
}

// withdraw stops the sandboxes that have policies in SELinux's, and takes those away at
// once. Where it cannot, Down does that of each, and tells why.
func (r *Runtime) withdraw(ctx context.Context, names []string) {
	policed := confinement.Policed(names)
	if len(policed) < 2 || !r.drivers.Local() {
		return
	}
	policed = slices.DeleteFunc(policed, func(name string) bool {
		_, err := r.Stop(ctx, name)
		return err != nil
	})
	_ = r.remover().Policies(ctx, policed, r.drivers.Runs) // but for those that somebody has started again
}

// DownAll takes all sandboxes down that sbx made, those of sbx run and what is left
// of lost and interrupted ones among them, and at last what is nobody's any more and does
// not say whose it was; it calls done for each. One that fails does not stop the others.
func (r *Runtime) DownAll(ctx context.Context, done func(name string, err error)) error {
	list, err := r.List()
	if err != nil {
		return err
	}
	names := make([]string, len(list))
	for i, s := range list {
		names[i] = s.Name
	}
	took := func(name string, _ bool, err error) { done(name, err) }
	failed := r.DownEach(ctx, names, took)
	if !r.drivers.Local() {
		return failed
	}
	failed = errors.Join(failed, embed.ClearFree(r.state()), r.sweep(ctx))
	left, err := r.lost().Find(map[string]bool{})
	names = nil
	for _, c := range left {
		names = append(names, c.Sandbox)
	}
	failed = errors.Join(failed, r.DownEach(ctx, names, took), err)
	return errors.Join(failed, r.remover().Strays(ctx, done))
}
