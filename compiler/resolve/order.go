package resolve

import (
	"fmt"
	"slices"

	"github.com/sbx-dev/sbx/internal/order"
	"github.com/sbx-dev/sbx/internal/slip"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Order gives the profiles in the order in which their sandboxes start, and by name
// which of the others come before each.
func Order(profiles []*schema.Profile) (sorted []*schema.Profile, before map[string][]string) {
	byName, names := map[string]*schema.Profile{}, []string{}
	for _, p := range profiles {
		if byName[p.Name] == nil {
			names = append(names, p.Name)
		}
		byName[p.Name] = p
	}
	before = order.Before(inOrder(profiles))
	for _, name := range order.Sort(names, before) {
		sorted = append(sorted, byName[name])
	}
	return sorted, before
}

// Unmet warns of names in after, and at sockets, of which none of the profiles is, nor
// one that is there besides: they order and open nothing, which a misspelt one would not
// tell.
func Unmet(profiles []*schema.Profile, there func(p *schema.Profile, name string) bool) (list diag.List) {
	var known []string
	for _, p := range profiles {
		known = append(known, p.Name)
	}
	for _, p := range profiles {
		for _, n := range namesOthers(p) {
			if n.name == "" || slices.Contains(known, n.name) || there(p, n.name) {
				continue
			}
			help := "check the name, or the profile with these: sbx vet DIR/..."
			if meant := slip.Nearest(n.name, known, 2); meant != "" && meant != p.Name {
				help = fmt.Sprintf("did you mean %q?", meant)
			}
			list = append(list, &diag.Diagnostic{Pos: p.Source.Pos(n.path), Severity: diag.Warning, Code: diag.Unmet, Path: n.path, Help: help,
				Message: fmt.Sprintf("%s %s %q, of which no profile is here, nor %s.cue beside it: %s", p.Name, n.does, n.name, n.name, n.so)})
		}
	}
	return list
}

// named is a place of a profile that names another sandbox.
type named struct{ path, name, does, so string }

func namesOthers(p *schema.Profile) (list []named) {
	for i, name := range p.After {
		list = append(list, named{schema.Elem("after", i), name, "starts after", "nothing waits"})
	}
	for _, end := range socketEnds(p) {
		if end.From != "" {
			list = append(list, named{end.path + ".from", end.From, "has a socket from", "until that is up, nobody answers"})
		}
		for i, name := range end.To {
			list = append(list, named{schema.Elem(end.path+".to", i), name, "gives a socket to", "nobody connects"})
		}
	}
	return list
}

// inOrder is what the profiles' order follows from.
func inOrder(profiles []*schema.Profile) []order.Sandbox {
	list := make([]order.Sandbox, 0, len(profiles))
	for _, p := range profiles {
		s := order.Sandbox{Name: p.Name, After: p.Follows()}
		for _, i := range Interfaces(p) {
			if i.Create != nil {
				s.Creates = append(s.Creates, i.Attach)
			} else if i.Attach != "" {
				s.Uses = append(s.Uses, i.Attach)
			}
		}
		list = append(list, s)
	}
	return list
}

// circle reports sandboxes that wait for each other.
func (t *together) circle(profiles []*schema.Profile) {
	sorted, before := Order(profiles)
	byName, names := map[string]*schema.Profile{}, []string{}
	for _, p := range sorted {
		byName[p.Name] = p
		names = append(names, p.Name)
	}
	round := order.Circle(names, before)
	var d *diag.Diagnostic
	for i, name := range round {
		path, why := waits(byName[name], byName[round[(i+1)%len(round)]])
		pos := byName[name].Source.Pos(path)
		if d == nil {
			d = &diag.Diagnostic{Pos: pos, Severity: diag.Error, Code: diag.Circle, Path: path, Help: "remove one of these reasons to wait",
				Message: fmt.Sprintf("none of the sandboxes that wait for each other can start first: %s", why)}
			t.faults = append(t.faults, d)
			continue
		}
		d.Notes = append(d.Notes, diag.Note{Pos: pos, Message: why})
	}
}

// waits says where and why a profile's sandbox waits for another one.
func waits(p, first *schema.Profile) (path, why string) {
	for i, name := range p.After {
		if name == first.Name {
			return schema.Elem("after", i), fmt.Sprintf("%s starts after %s", p.Name, name)
		}
	}
	for _, end := range socketEnds(p) {
		if end.From == first.Name {
			return end.path + ".from", fmt.Sprintf("%s has a socket from %s", p.Name, first.Name)
		}
	}
	for _, i := range Interfaces(p) {
		for _, made := range Interfaces(first) {
			if i.Attach != "" && i.Attach == made.Attach && made.Create != nil && i.Create == nil {
				path, why = i.Path+".attach", fmt.Sprintf("%s is on the network %q, which %s creates", p.Name, i.Attach, first.Name)
			}
		}
	}
	return path, why
}
