package review

import (
	"path"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/schema"
)

// mapping is something that stands at a path inside. What stands deeper hides
// what it stands on.
type mapping struct {
	host     string // the host path; empty where it is none
	inside   string
	writable bool
	place    string // in the profile
}

// view is all that stands inside one version of a sandbox.
type view []mapping

func viewOf(p *schema.Profile) view {
	var v view
	for i, host := range p.Expose {
		v = append(v, mapping{host, path.Clean(host), false, schema.Elem("expose", i)})
	}
	for _, inside := range keys(p.Mounts) {
		m := p.Mounts[inside]
		host := m.Host
		if m.Image != "" {
			host = m.Image
		}
		v = append(v, mapping{host, path.Clean(m.At(inside)), m.Writable, schema.Field("mounts", inside)})
	}
	for i := range v {
		if v[i].host != "" {
			v[i].host = path.Clean(v[i].host)
		}
	}
	return v
}

// under says whether p is root or lies below it.
func under(p, root string) bool {
	return p == root || root == "/" || strings.HasPrefix(p, root+"/")
}

// move gives the path of p, which lies under from, under to.
func move(p, from, to string) string {
	return path.Join(to, strings.TrimPrefix(p, from))
}

// owner is the mapping that a path inside belongs to: the deepest.
func (v view) owner(inside string) int {
	best := -1
	for i, m := range v {
		if under(inside, m.inside) && (best < 0 || len(m.inside) >= len(v[best].inside)) {
			best = i
		}
	}
	return best
}

// shows gives a mapping that shows the host path inside; nil when none does.
func (v view) shows(host string, writable bool) *mapping {
	for i, m := range v {
		if m.host == "" || writable && !m.writable || !under(host, m.host) {
			continue
		}
		if v.owner(move(host, m.host, m.inside)) == i {
			return &v[i]
		}
	}
	return nil
}

// borders are the host paths at which it can change what the view shows: below
// each, up to the next, all paths are alike.
func (v view) borders() (out []string) {
	for _, m := range v {
		if m.host == "" {
			continue
		}
		out = append(out, m.host)
		for _, hole := range v {
			if hole.inside != m.inside && under(hole.inside, m.inside) {
				out = append(out, move(hole.inside, m.inside, m.host))
			}
		}
	}
	return out
}

// hostPaths compares which host paths the versions show, by what that covers.
func (c *comparer) hostPaths() {
	old, new := viewOf(c.old), viewOf(c.new)
	borders := append(old.borders(), new.borders()...)
	slices.Sort(borders)
	borders = slices.Compact(borders)
	for _, writable := range []bool{false, true} {
		d := Reads
		if writable {
			d = Writes
		}
		c.paths(d, true, borders, func(p string) *mapping {
			if old.shows(p, writable) != nil {
				return nil
			}
			return new.shows(p, writable)
		})
		c.paths(d, false, borders, func(p string) *mapping {
			if new.shows(p, writable) != nil {
				return nil
			}
			return old.shows(p, writable)
		})
	}
}

// paths reports the host paths for which by names a mapping, a whole tree at a
// time.
func (c *comparer) paths(d Dimension, added bool, borders []string, by func(string) *mapping) {
	for _, p := range borders {
		m := by(p)
		if m == nil || by(parent(p, borders)) != nil {
			continue
		}
		var holes []string
		for _, q := range borders {
			if q != p && under(q, p) && by(q) == nil && by(parent(q, borders)) != nil {
				holes = append(holes, q)
			}
		}
		what := word(p)
		for i, hole := range holes {
			holes[i] = word(hole)
		}
		if len(holes) > 0 {
			what += " without " + strings.Join(holes, ", ")
		}
		c.add(d, added, what, p, m.place)
	}
}

// parent is the nearest border above p; empty when there is none.
func parent(p string, borders []string) string {
	best := ""
	for _, q := range borders {
		if q != p && under(p, q) && len(q) > len(best) {
			best = q
		}
	}
	return best
}
