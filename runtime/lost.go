package runtime

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/internal/known"
	"github.com/sbx-dev/sbx/runtime/internal/observe"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/runtime/plan"
	"github.com/sbx-dev/sbx/schema"
)

// lost finds sandboxes whose domain somebody has removed: their folders are
// there still. Those of sbx run are not meant.
func (r *Runtime) lost(seen map[string]bool) ([]plan.Change, error) {
	entries, err := os.ReadDir(r.state().Path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found []plan.Change
	for _, e := range entries {
		name := e.Name()
		if !e.IsDir() || strings.HasPrefix(name, ".") || seen[name] {
			continue
		}
		err := r.locks.IfIdle(name, func() error {
			lost, err := r.isLost(name)
			if lost {
				found = append(found, plan.Change{Sandbox: name, Object: observe.StateObject, Live: "without a domain in libvirt", Desired: "running",
					Effect: plan.Create, Why: observe.WhyAbsent, Since: "after sbx made its files at " + r.madeAt(name)})
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// isLost says whether there is a sandbox's folder and nothing else of it. What an
// interrupted sbx run has left behind is the next one's to remove.
func (r *Runtime) isLost(name string) (bool, error) {
	if r.madeAt(name) == "" {
		return false, nil
	}
	if _, err := os.Lstat(r.state().Path(state.Claims, name)); err == nil {
		return false, nil
	}
	there, err := r.hasDomain(name)
	return !there, err
}

// hasDomain says whether libvirt has a domain of the name, whoever made it.
func (r *Runtime) hasDomain(name string) (bool, error) {
	there := false
	err := r.drivers.EachKind(func(conn *libvirt.Connect, _ schema.Backend) (bool, error) {
		dom, err := virt.Lookup(conn, name)
		if dom == nil || err != nil {
			return true, err
		}
		there = true
		return false, dom.Free()
	})
	return there, err
}

// kindLeft is the kind whose orders stand in what is left of a sandbox.
func (r *Runtime) kindLeft(name string) schema.Backend {
	for _, k := range known.All() {
		if _, err := os.Stat(r.state().Path(name, k.Manifest)); err == nil {
			return k.Name
		}
	}
	return known.All()[0].Name
}

// downLost removes what is left of a sandbox whose domain somebody has removed,
// and says whether there was anything. Nothing tells any more which networks it
// was on: those that sbx made go, unless somebody is on them.
func (r *Runtime) downLost(name string) (bool, error) {
	lost, err := r.isLost(name)
	if !lost || err != nil {
		return false, err
	}
	kind := r.kindLeft(name)
	conn, err := r.drivers.Connect(kind)
	if err != nil {
		return true, err
	}
	left := new(compiler.Metadata)
	if left.Filters, err = virt.FiltersOf(conn, name); err != nil {
		return true, err
	}
	if left.Networks, err = virt.OwnNetworks(conn); err != nil {
		return true, err
	}
	for _, network := range left.Networks {
		if err := virt.SetNames(conn, network, name, nil); err != nil {
			return true, err
		}
	}
	return true, r.removeAll(conn, name, kind, left)
}

// madeAt is when prepare made the sandbox's files; empty if it did not.
func (r *Runtime) madeAt(name string) string {
	for _, part := range []string{state.Root, state.Boot} {
		if info, err := os.Stat(r.state().Path(name, part)); err == nil {
			return info.ModTime().UTC().Format(time.RFC3339)
		}
	}
	return ""
}
