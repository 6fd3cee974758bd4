package runtime

import (
	"errors"
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

// Drift finds what others have changed of the sandboxes since sbx applied them:
// of those that the bundles are of, or of all when there are none. Where a
// bundle is the one that was applied, what differs is told by field; otherwise
// by object. It changes nothing.
func (r *Runtime) Drift(bundles []*compiler.Bundle) ([]plan.Change, error) {
	if err := r.needLocal("drift"); err != nil {
		return nil, err
	}
	byName := map[string]*compiler.Bundle{}
	for _, b := range bundles {
		byName[b.Index.Name] = b
	}
	found := []plan.Change{}
	o, seen := &observer{r: r}, map[string]bool{}
	err := r.eachOwn(func(conn *libvirt.Connect, name string, kind schema.Backend) error {
		seen[name] = true
		if len(bundles) > 0 && byName[name] == nil {
			return nil
		}
		return r.locks.IfIdle(name, func() error {
			some, err := o.drift(conn, name, kind, byName[name])
			found = append(found, some...)
			return err
		})
	})
	lost, lostErr := r.lost(seen)
	for _, c := range lost {
		if len(bundles) == 0 || byName[c.Sandbox] != nil {
			found = append(found, c)
		}
	}
	plan.Sort(found)
	return found, errors.Join(err, lostErr)
}

// drift compares one sandbox with the notes in its metadata.
func (o *observer) drift(conn *libvirt.Connect, name string, kind schema.Backend, b *compiler.Bundle) ([]plan.Change, error) {
	have, err := o.observe(conn, name, kind, nil)
	if err != nil || have.metadata == nil {
		return nil, err
	}
	if have.metadata.Applied == nil {
		return []plan.Change{{Sandbox: name, Object: stateObject, Live: "only partly applied", Desired: "running",
			Why: whyNoRecord, Since: "sbx was interrupted while it worked on it"}}, nil
	}
	now, err := have.fingerprints()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	moved := driftedObjects(have, now)
	if len(moved) == 0 {
		return nil, nil
	}
	fields, err := o.fields(conn, have, b)
	if err != nil {
		return nil, err
	}
	var found []plan.Change
	for _, object := range moved {
		since := o.r.since(have.metadata, object, name, kind)
		told := false
		for _, c := range fields {
			if c.Object == object || "running "+c.Object == object || object == filesObject && c.Object == "manifest" {
				c.Since, told = since, true
				found = append(found, c)
			}
		}
		if !told {
			c := plan.Change{Sandbox: name, Object: object, Live: now[object], Desired: noted(have.metadata)[object], Since: since}
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
func driftedObjects(have *observed, now map[string]string) []string {
	moved := plan.Moved(noted(have.metadata), now)
	return slices.DeleteFunc(moved, func(object string) bool {
		if have.finished && (object == stateObject || object == portsObject) {
			return true // which is its command's own doing
		}
		follows := object == runningObject || strings.HasPrefix(object, rulesObject("")) ||
			strings.HasPrefix(object, cardObject("")) || isSource(object) || object == profileObject || strings.HasPrefix(object, namesObject(""))
		if follows && !have.active {
			return true
		}
		filterMoved := slices.ContainsFunc(moved, func(m string) bool { return strings.HasPrefix(m, filterObject("")) })
		return filterMoved && strings.HasPrefix(object, rulesObject(""))
	})
}

// fields are the differences from the bundle, if it is the one that was applied.
func (o *observer) fields(conn *libvirt.Connect, have *observed, b *compiler.Bundle) ([]plan.Change, error) {
	if b == nil || b.Index.Profile != have.metadata.Profile {
		return nil, nil
	}
	s, err := o.r.bind(b)
	if err == nil {
		err = o.r.confine(s, conn)
	}
	if err != nil {
		return nil, err
	}
	return compare(s, have)
}

// since says when an object has changed, as far as anything knows. libvirt
// writes a definition's file when it changes.
func (r *Runtime) since(m *compiler.Metadata, object, name string, kind schema.Backend) string {
	after := "after sbx applied it at " + m.Applied.At
	applied, err := time.Parse(time.RFC3339, m.Applied.At)
	if err != nil {
		return after
	}
	var paths []string
	switch {
	case object == domainObject:
		paths = []string{filepath.Join("/etc/libvirt", known.Of(kind).Driver, name+".xml")}
	case strings.HasPrefix(object, filterObject("")):
		paths = []string{filepath.Join("/etc/libvirt/nwfilter", strings.TrimPrefix(object, filterObject(""))+".xml")}
	case strings.HasPrefix(object, networkObject("")):
		paths = []string{filepath.Join("/etc/libvirt/qemu/networks", strings.TrimPrefix(object, networkObject(""))+".xml")}
	case object == filesObject:
		for _, part := range known.Of(kind).Made {
			paths = append(paths, r.state().Path(name, part))
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
