package plan

import (
	"maps"
	"slices"
	"strconv"
)

// rules say how documents of a kind are compared.
type rules struct {
	// filled are the paths of what libvirt adds by itself. Whatever else a
	// document of libvirt's has beyond the desired one is a difference.
	filled []string
	// filledAs are elements that libvirt adds, by their paths and words. With
	// other words they are a difference.
	filledAs map[string][]string
	// keys name the elements that tell elements of the same path apart: a child
	// and an attribute of it, "target@dev", or an attribute, "@name". Elements
	// of other paths are told apart by their order.
	keys map[string][]string
}

// comparison collects the differences of two documents.
type comparison struct {
	rules
	found []Difference
}

// elements compares two elements of the same path. where is the path as people
// read it, with the keys in brackets; path is the one that rules name.
func (c *comparison) elements(where, path string, want, have *element) {
	for _, name := range union(want.attributes, have.attributes) {
		w, wanted := want.attributes[name]
		h, there := have.attributes[name]
		at := path + "@" + name
		if wanted && there && w == h || !wanted && c.isFilled(at) {
			continue
		}
		c.add(join(where, name), h, w)
	}
	if want.text != have.text {
		c.add(where, have.text, want.text)
	}
	c.children(where, path, want, have)
}

func (c *comparison) children(where, path string, want, have *element) {
	wanted, there := c.byKey(path, want), c.byKey(path, have)
	for _, key := range union(wanted, there) {
		w, h := wanted[key], there[key]
		at := join(where, key)
		switch {
		case h == nil:
			c.add(at, "", w.words())
		case w == nil:
			if !c.isFilledElement(join(path, h.name), h) {
				c.add(at, h.words(), "")
			}
		default:
			c.elements(at, join(path, w.name), w, h)
		}
	}
}

func (c *comparison) add(field, live, desired string) {
	c.found = append(c.found, Difference{Field: field, Live: live, Desired: desired})
}

// byKey names an element's children so that those of two documents which stand
// for the same thing have the same name.
func (c *comparison) byKey(path string, e *element) map[string]*element {
	named := map[string]*element{}
	for _, child := range e.children {
		name := child.name
		if key := c.key(join(path, child.name), child); key != "" {
			name += "[" + key + "]"
		}
		unique := name
		for n := 2; named[unique] != nil; n++ {
			unique = name + "#" + strconv.Itoa(n)
		}
		named[unique] = child
	}
	return named
}

func (c *comparison) key(path string, e *element) string {
	key := ""
	for _, k := range c.keys[path] {
		if v := e.lookup(k); v != "" {
			key = join(key, v)
		}
	}
	return key
}

func (c *comparison) isFilled(path string) bool { return slices.Contains(c.filled, path) }

func (c *comparison) isFilledElement(path string, e *element) bool {
	return c.isFilled(path) || slices.Contains(c.filledAs[path], e.words())
}

// union are the names that either has, sorted.
func union[V any](a, b map[string]V) []string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(names)
	return slices.Compact(names)
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + " " + name
}
