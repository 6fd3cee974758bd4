// Package order says which sandboxes come before which: those that their profiles
// name, and those that make the networks that they are on.
package order

import "slices"

// Sandbox is what a sandbox's order follows from.
type Sandbox struct {
	Name    string
	After   []string // the sandboxes that its profile names
	Creates []string // networks that it makes
	Uses    []string // networks that it is on
}

// Before gives, by name, those of the sandboxes that come before each, sorted. A name
// of none of them is no matter of theirs.
func Before(all []Sandbox) map[string][]string {
	before := map[string][]string{}
	for _, s := range all {
		for _, other := range all {
			if other.Name != s.Name && (slices.Contains(s.After, other.Name) || s.waitsFor(other, all)) {
				before[s.Name] = append(before[s.Name], other.Name)
			}
		}
		slices.Sort(before[s.Name])
		before[s.Name] = slices.Compact(before[s.Name])
	}
	return before
}

// waitsFor says whether another one makes a network that s is on and does not make. Of
// several that make it, the first by name does for all.
func (s Sandbox) waitsFor(other Sandbox, all []Sandbox) bool {
	return slices.ContainsFunc(s.Uses, func(network string) bool {
		return !slices.Contains(s.Creates, network) && maker(network, all) == other.Name
	})
}

func maker(network string, all []Sandbox) (first string) {
	for _, s := range all {
		if slices.Contains(s.Creates, network) && (first == "" || s.Name < first) {
			first = s.Name
		}
	}
	return first
}

// Next is the index of the first of the names that none of the others comes before, nor
// one that is still under way; -1 where each waits for another one.
func Next(names []string, before map[string][]string, underWay map[string]bool) int {
	return slices.IndexFunc(names, func(name string) bool {
		return !slices.ContainsFunc(before[name], func(b string) bool { return b != name && (underWay[b] || slices.Contains(names, b)) })
	})
}

// Sort gives the names so that each stands behind those that come before it, and in the
// order given otherwise. Of a circle, the one that was given first is the first.
func Sort(names []string, before map[string][]string) []string {
	left, sorted := slices.Clone(names), make([]string, 0, len(names))
	for len(left) > 0 {
		i := max(Next(left, before, nil), 0)
		sorted = append(sorted, left[i])
		left = slices.Delete(left, i, i+1)
	}
	return sorted
}

// Circle is one circle of the names, each of which waits for the next and the last for
// the first; nil where there is none.
func Circle(names []string, before map[string][]string) []string {
	left := slices.Clone(names)
	for len(left) > 0 {
		i := Next(left, before, nil)
		if i < 0 {
			break
		}
		left = slices.Delete(left, i, i+1)
	}
	if len(left) == 0 {
		return nil
	}
	// Each of those that are left waits for another of them, so that going on from
	// any of them comes back to where it has been.
	var walked []string
	for at := left[0]; ; {
		if i := slices.Index(walked, at); i >= 0 {
			return walked[i:]
		}
		walked = append(walked, at)
		at = before[at][slices.IndexFunc(before[at], func(b string) bool { return b != at && slices.Contains(left, b) })]
	}
}
