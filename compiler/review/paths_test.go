package review

import (
	"math/rand/v2"
	"path"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/schema"
)

// tree is every path of a tiny host, up to three deep.
func tree() (out []string) {
	level := []string{"/"}
	for range 3 {
		var next []string
		for _, p := range level {
			for _, name := range []string{"a", "b", "ab"} {
				next = append(next, path.Join(p, name))
			}
		}
		out, level = append(out, next...), next
	}
	return out
}

func randomPaths(r *rand.Rand, all []string) *schema.Profile {
	p := &schema.Profile{Mounts: map[string]schema.Mount{}, Source: nowhere{}}
	pick := func() string { return all[r.IntN(len(all))] }
	taken := map[string]bool{}
	for range r.IntN(4) {
		if at := pick(); !taken[at] {
			taken[at] = true
			p.Expose = append(p.Expose, at)
		}
	}
	for range r.IntN(4) {
		at := pick()
		if taken[at] {
			continue
		}
		taken[at] = true
		m := schema.Mount{Host: pick(), Writable: r.IntN(2) == 0}
		if r.IntN(3) == 0 {
			m = schema.Mount{Tmpfs: 1}
		}
		p.Mounts[at] = m
	}
	return p
}

// walkInside lists the host paths that a sandbox shows, by walking over every
// path inside and asking what stands there.
func walkInside(p *schema.Profile, all []string, writable bool) map[string]bool {
	shown := map[string]bool{}
	for _, inside := range all {
		var mounted string // the mount point that inside belongs to
		for at := inside; at != "/"; at = path.Dir(at) {
			_, mount := p.Mounts[at]
			if mount || contains(p.Expose, at) {
				mounted = at
				break
			}
		}
		if m, ok := p.Mounts[mounted]; ok && m.Host != "" && (m.Writable || !writable) {
			shown[path.Join(m.Host, strings.TrimPrefix(inside, mounted))] = true
		}
		if mounted != "" && contains(p.Expose, mounted) && !writable {
			shown[inside] = true
		}
	}
	return shown
}

func TestPathsAgreeWithAWalk(t *testing.T) {
	r := rand.New(rand.NewPCG(51, 52))
	names := tree()
	// Mounts move paths around, so the walk goes deeper than what it compares.
	deep := append([]string{}, names...)
	for _, p := range names {
		if strings.Count(p, "/") == 3 {
			for _, q := range names {
				deep = append(deep, p+q)
			}
		}
	}
	for range 1500 {
		old, new := randomPaths(r, names), randomPaths(r, names)
		c := &comparer{report: &Report{}, old: old, new: new}
		c.hostPaths()
		for _, d := range []Dimension{Reads, Writes} {
			before, after := walkInside(old, deep, d == Writes), walkInside(new, deep, d == Writes)
			for _, h := range names {
				checkPath(t, c.report.Changes, d, true, h, after[h] && !before[h])
				checkPath(t, c.report.Changes, d, false, h, before[h] && !after[h])
			}
		}
		if t.Failed() {
			t.Fatalf("old %+v %+v\nnew %+v %+v\n%+v", old.Expose, old.Mounts, new.Expose, new.Mounts, c.report.Changes)
		}
	}
}

// checkPath reads the changes as a person would.
func checkPath(t *testing.T, changes []Change, d Dimension, added bool, h string, want bool) {
	t.Helper()
	got := false
	for _, c := range changes {
		if c.Dimension != d || c.Added != added {
			continue
		}
		top, holes, _ := strings.Cut(c.What, " without ")
		in := under(h, top)
		for _, hole := range strings.Split(holes, ", ") {
			in = in && (hole == "" || !under(h, hole))
		}
		got = got || in
	}
	if got != want {
		t.Errorf("%s of %s, added %t: reported %t, want %t", d, h, added, got, want)
	}
}
