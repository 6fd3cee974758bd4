package observe

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/runtime/internal/known"
	"github.com/sbx-dev/sbx/runtime/plan"
	"github.com/sbx-dev/sbx/schema"
)

// Drift compares one sandbox with the notes in its metadata. fields gives what differs
// from its bundle, where that is known.
func (o *Observer) Drift(conn *libvirt.Connect, name string, kind schema.Backend, fields func(*Observed) ([]plan.Change, error)) ([]plan.Change, error) {
	have, err := o.Observe(conn, name, kind, nil)
	if err != nil || have.Metadata == nil {
		return nil, err
	}
	if have.Metadata.Applied == nil {
		return []plan.Change{{Sandbox: name, Object: StateObject, Live: "only partly applied", Desired: "running",
			Why: whyNoRecord, Since: "sbx was interrupted while it worked on it"}}, nil
	}
	now, err := have.Fingerprints()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	found := have.unwatched()
	moved := driftedObjects(have, now)
	if len(moved) == 0 {
		return found, nil
	}
	differ, err := fields(have)
	if err != nil {
		return nil, err
	}
	for _, object := range moved {
		since := o.since(have.Metadata, object, name, kind)
		told := false
		for _, c := range differ {
			if c.Object == object || "running "+c.Object == object || object == filesObject && c.Object == "manifest" {
				c.Since, told = since, true
				found = append(found, c)
			}
		}
		if !told {
			c := plan.Change{Sandbox: name, Object: object, Live: now[object], Desired: Noted(have.Metadata)[object], Since: since}
			if isSource(object) { // what is live is what the sandbox still has
				c.Live, c.Desired, c.Why = c.Desired, c.Live, whySource
			}
			found = append(found, c)
		}
	}
	return slices.Compact(found), nil
}

// driftedObjects are the objects that have changed. What only follows from
// another change is left out: a sandbox that does not run has no running domain,
// and rules made from a changed filter are others.
func driftedObjects(have *Observed, now map[string]string) []string {
	moved := plan.Moved(Noted(have.Metadata), now)
	return slices.DeleteFunc(moved, func(object string) bool {
		if have.finished && (object == StateObject || object == portsObject) {
			return true // which is its command's own doing
		}
		if have.Metadata.Every != "" && !have.Active && object == StateObject {
			return true // it is stopped between its runs
		}
		if comesWithAStart(object) && !have.Active {
			return true
		}
		filterMoved := slices.ContainsFunc(moved, func(m string) bool { return strings.HasPrefix(m, FilterObject("")) })
		return filterMoved && strings.HasPrefix(object, RulesObject(""))
	})
}

// since says when an object has changed, as far as anything knows. libvirt
// writes a definition's file when it changes.
func (o *Observer) since(m *compiler.Metadata, object, name string, kind schema.Backend) string {
	after := "after sbx applied it at " + m.Applied.At
	applied, err := time.Parse(time.RFC3339, m.Applied.At)
	if err != nil {
		return after
	}
	var paths []string
	switch {
	case object == DomainObject:
		paths = []string{filepath.Join("/etc/libvirt", known.Of(kind).Driver, name+".xml")}
	case strings.HasPrefix(object, FilterObject("")):
		paths = []string{filepath.Join("/etc/libvirt/nwfilter", strings.TrimPrefix(object, FilterObject(""))+".xml")}
	case strings.HasPrefix(object, NetworkObject("")):
		paths = []string{filepath.Join("/etc/libvirt/qemu/networks", strings.TrimPrefix(object, NetworkObject(""))+".xml")}
	case object == filesObject:
		for _, part := range known.Of(kind).Made {
			paths = append(paths, o.folder.Path(name, part))
		}
	}
	if at := newest(paths); at.After(applied) {
		return "since " + at.UTC().Format(time.RFC3339)
	}
	return after
}

// newest is when anything at the paths or below was last changed; the zero time
// where nothing is. The kernel alone sets these times. A file with several names
// is left out, because one more name changes it, too.
func newest(paths []string) (at time.Time) {
	for _, p := range paths {
		filepath.WalkDir(p, func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return nil
			}
			var info unix.Stat_t
			if unix.Lstat(path, &info) != nil || !e.IsDir() && info.Nlink > 1 {
				return nil
			}
			if changed := time.Unix(info.Ctim.Unix()); changed.After(at) {
				at = changed
			}
			return nil
		})
	}
	return at
}
