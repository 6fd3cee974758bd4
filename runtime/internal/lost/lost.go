// Package lost knows sandboxes whose domain somebody has removed, or that a crash has
// left without: something of sbx's own is there still, and names them.
package lost

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/internal/confinement"
	"github.com/sbx-dev/sbx/runtime/internal/drivers"
	"github.com/sbx-dev/sbx/runtime/internal/guard"
	"github.com/sbx-dev/sbx/runtime/internal/innerwall"
	"github.com/sbx-dev/sbx/runtime/internal/jobs"
	"github.com/sbx-dev/sbx/runtime/internal/known"
	"github.com/sbx-dev/sbx/runtime/internal/locks"
	"github.com/sbx-dev/sbx/runtime/internal/observe"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/runtime/plan"
	"github.com/sbx-dev/sbx/schema"
)

// Lost are those of a state folder.
type Lost struct {
	Folder  state.Folder
	Locks   locks.Locks
	Drivers *drivers.Drivers
}

// Find gives them as drift, but for those seen. Those of sbx run are not meant.
func (l Lost) Find(seen map[string]bool) ([]plan.Change, error) {
	traces, err := l.traces()
	if err != nil {
		return nil, err
	}
	var found []plan.Change
	for _, name := range slices.Sorted(maps.Keys(traces)) {
		if seen[name] {
			continue
		}
		err := l.Locks.IfIdle(name, func() error {
			lost, err := l.isLost(name)
			if lost {
				found = append(found, l.change(name, traces[name]))
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// change tells of one that there is that of.
func (l Lost) change(name, trace string) plan.Change {
	c := plan.Change{Sandbox: name, Object: observe.StateObject, Live: "without a domain in libvirt", Desired: "running", Effect: plan.Create, Why: observe.WhyAbsent}
	if made := l.madeAt(name); made != "" {
		c.Since = "after sbx made its files at " + made
	} else {
		c.Live, c.Since = "but "+trace+", "+c.Live, "sbx or this host was interrupted, or somebody has removed the rest of it"
	}
	return c
}

// traces are what this host has of sandboxes, by their names, in words: their files, or
// else something that sbx alone makes and that says whose it is.
func (l Lost) traces() (map[string]string, error) {
	found := map[string]string{}
	add := func(trace string, names ...string) {
		for _, name := range names {
			if name != "" && found[name] == "" {
				found[name] = trace
			}
		}
	}
	entries, err := os.ReadDir(l.Folder.Path())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") && l.madeAt(e.Name()) != "" {
			add("its files", e.Name())
		}
	}
	conns, err := l.Drivers.EachUsable()
	if err != nil {
		return nil, err
	}
	if len(conns) > 0 { // without a libvirtd nothing has filters
		filters, err := virt.OwnFilters(conns[0])
		if err != nil {
			return nil, err
		}
		for _, f := range filters {
			add("the filter "+f, virt.SandboxOf(f))
		}
	}
	if os.Geteuid() == 0 { // nobody else has any, or may ask
		walls, err := l.walls()
		if err != nil {
			return nil, err
		}
		for _, w := range walls {
			add("the inner wall "+w, virt.SandboxOf(w))
		}
	}
	add("a policy in SELinux's", confinement.Sandboxes()...)
	add("a timer", jobs.Sandboxes()...)
	return found, nil
}

// walls are the tables that the kernel has, or that the guard is to have it hold.
func (l Lost) walls() ([]string, error) {
	loaded, err := innerwall.Names()
	if err != nil {
		return nil, err
	}
	guarded, err := guard.Of(l.Folder).Names()
	return append(loaded, guarded...), err
}

// Has says whether there is something of a sandbox, and no domain. What an interrupted
// sbx run has left behind is the next one's to remove.
func (l Lost) Has(name string) (bool, error) {
	traces, err := l.traces()
	if err != nil || traces[name] == "" {
		return false, err
	}
	return l.isLost(name)
}

// isLost says whether one of which there is something has no domain, and is not of sbx
// run.
func (l Lost) isLost(name string) (bool, error) {
	if _, err := os.Lstat(l.Folder.Path(state.Claims, name)); err == nil {
		return false, nil
	}
	there, err := l.Drivers.HasDomain(name)
	return !there, err
}

// madeAt is when the sandbox's files were made; empty if they were not.
func (l Lost) madeAt(name string) string {
	for _, part := range []string{state.Root, state.Boot} {
		if info, err := os.Stat(l.Folder.Path(name, part)); err == nil {
			return info.ModTime().UTC().Format(time.RFC3339)
		}
	}
	return ""
}

// Kind is the kind whose orders stand in what is left of a sandbox.
func (l Lost) Kind(name string) schema.Backend {
	for _, k := range known.All() {
		if _, err := os.Stat(l.Folder.Path(name, k.Manifest)); err == nil {
			return k.Name
		}
	}
	return known.All()[0].Name
}

// Disown gives what is to be removed of a sandbox, and withdraws its name from networks.
// Nothing tells any more which of those it was on: those that sbx made go, unless
// somebody is on them.
func (l Lost) Disown(conn *libvirt.Connect, name string) (left *compiler.Metadata, err error) {
	left = new(compiler.Metadata)
	if left.Filters, err = virt.FiltersOf(conn, name); err != nil {
		return nil, err
	}
	walls, err := l.walls()
	if err != nil {
		return nil, err
	}
	for _, wall := range walls { // also behind a filter that went with the domain
		if virt.IsFilterOf(wall, name) && !slices.Contains(left.Filters, wall) {
			left.Filters = append(left.Filters, wall)
		}
	}
	if left.Networks, err = virt.OwnNetworks(conn); err != nil {
		return nil, err
	}
	for _, network := range left.Networks {
		if err := virt.SetNames(conn, network, name, nil); err != nil {
			return nil, err
		}
	}
	return left, nil
}
