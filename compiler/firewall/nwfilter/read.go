package nwfilter

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sbx-dev/sbx/compiler/firewall/space"
)

// maxDepth bounds how deep filters may refer to each other.
const maxDepth = 32

// Read reads an nwfilter and all that it refers to, from any source. lookup
// gives the XML of a filter by name, and variables the values that `$NAME` stands
// for. What cannot be modelled exactly is an *UnsupportedError that names it:
// attributes that libvirt ignores silently are among that.
func Read(name string, lookup func(string) ([]byte, error), variables map[string][]string) (*Filter, error) {
	f := &Filter{Name: name, ebtables: map[space.Slice][]space.Clause{}, iptables: map[space.Slice][]space.Clause{}}
	r := &reader{filter: f, lookup: lookup}
	if err := r.read(name, variables, 0); err != nil {
		return nil, err
	}
	r.assemble()
	return f, nil
}

// instance is a rule with its place and its variables filled in.
type instance struct {
	rule          int
	action        string
	direction     string
	stateless     bool
	priority      int
	chain         string
	chainPriority int
	match         *element // nil: every packet of the chain
}

type reader struct {
	filter  *Filter
	lookup  func(string) ([]byte, error)
	clauses []placed
}

// placed is a clause with what its place in the order depends on.
type placed struct {
	instance *instance
	slice    space.Slice
	iptables bool
	clause   space.Clause
}

func (r *reader) read(name string, variables map[string][]string, depth int) error {
	if depth > maxDepth {
		return &UnsupportedError{Filter: name, Why: "filters refer to each other in a circle, or too deep"}
	}
	data, err := r.lookup(name)
	if err != nil {
		return fmt.Errorf("filter %s: %w", name, err)
	}
	root, err := parseXML(data)
	if err != nil {
		return fmt.Errorf("filter %s: %w", name, err)
	}
	if root.name != "filter" {
		return fmt.Errorf("filter %s: the document is a <%s>", name, root.name)
	}
	chain := cmp.Or(root.attrs["chain"], "root")
	chainPriority, err := chainPriority(chain, root.attrs["priority"])
	if err != nil {
		return &UnsupportedError{Filter: name, Why: err.Error()}
	}
	for _, child := range root.children {
		switch child.name {
		case "uuid":
		case "filterref":
			err = r.readRef(child, variables, depth)
		case "rule":
			err = r.readRule(name, child, instance{chain: chain, chainPriority: chainPriority}, variables)
		default:
			err = &UnsupportedError{Filter: name, Why: fmt.Sprintf("<%s> is no part of a filter", child.name)}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readRef follows a reference; its parameters hide the ones from outside.
func (r *reader) readRef(ref *element, variables map[string][]string, depth int) error {
	inner := map[string][]string{}
	own := map[string]bool{}
	for k, v := range variables {
		inner[k] = v
	}
	for _, p := range ref.children {
		if k := p.attrs["name"]; own[k] {
			inner[k] = append(inner[k], p.attrs["value"])
		} else {
			inner[k], own[k] = []string{p.attrs["value"]}, true
		}
	}
	return r.read(ref.attrs["filter"], inner, depth+1)
}

func (r *reader) readRule(filter string, e *element, in instance, variables map[string][]string) error {
	unsupported := func(format string, args ...any) error {
		return &UnsupportedError{Filter: filter, Rule: words(e), Why: fmt.Sprintf(format, args...)}
	}
	in.priority = 500
	for name, v := range e.attrs {
		switch name {
		case "action":
			in.action = v
		case "direction":
			in.direction = v
		case "priority":
			n, err := strconv.Atoi(v)
			if err != nil || n < -1000 || n > 1000 {
				return unsupported("priority %q is no number from -1000 to 1000", v)
			}
			in.priority = n
		case "statematch":
			in.stateless = v == "0" || strings.EqualFold(v, "false")
			if !in.stateless {
				return unsupported("statematch %q: only false has a meaning", v)
			}
		default:
			return unsupported("unknown attribute %s of a rule", name)
		}
	}
	if !slices.Contains([]string{"accept", "drop", "reject", "return"}, in.action) {
		return unsupported("the action %q is not modelled", in.action)
	}
	if !slices.Contains([]string{"in", "out", "inout"}, in.direction) {
		return unsupported("unknown direction %q", in.direction)
	}
	matches := []*element{nil}
	switch len(e.children) {
	case 0:
	case 1:
		var err error
		if matches, err = expand(e.children[0], variables); err != nil {
			return unsupported("%v", err)
		}
	default:
		return unsupported("more than one protocol in a rule: libvirt reads the first only")
	}
	in.rule = len(r.filter.rules)
	rule := filterRule{filter: filter, text: words(e), priority: in.priority}
	if matches[0] != nil {
		rule.comment = matches[0].attrs["comment"]
	}
	r.filter.rules = append(r.filter.rules, rule)
	for _, m := range matches {
		in.match = m
		if err := r.place(in); err != nil {
			return unsupported("%v", err)
		}
	}
	return nil
}

// words writes a rule for people: its attributes as libvirt spells them.
func words(e *element) string {
	text := e.attrs["action"] + " " + e.attrs["direction"]
	for _, c := range e.children {
		text += " " + c.name
		keys := make([]string, 0, len(c.attrs))
		for k := range c.attrs {
			if k != "comment" {
				keys = append(keys, k)
			}
		}
		slices.Sort(keys)
		for _, k := range keys {
			text += " " + k + "=" + c.attrs[k]
		}
	}
	return text
}

// expand puts the variables' values in: one copy of the element for each value.
func expand(e *element, variables map[string][]string) ([]*element, error) {
	out := []*element{e}
	list := ""
	for name, v := range e.attrs {
		if !strings.HasPrefix(v, "$") || name == "comment" {
			continue
		}
		values, ok := variables[v[1:]]
		if !ok {
			return nil, fmt.Errorf("%s has no value", v)
		}
		if len(values) > 1 && list != "" && list != v {
			return nil, fmt.Errorf("%s and %s are both lists, which libvirt walks in step", list, v)
		}
		if len(values) > 1 {
			list = v
		}
	}
	if list != "" {
		out = make([]*element, len(variables[list[1:]]))
	}
	for n := range out {
		copied := &element{name: e.name, attrs: map[string]string{}}
		for name, v := range e.attrs {
			if strings.HasPrefix(v, "$") && name != "comment" {
				values := variables[v[1:]]
				v = values[min(n, len(values)-1)]
			}
			copied.attrs[name] = v
		}
		out[n] = copied
	}
	return out, nil
}

// assemble sorts the clauses as libvirt installs them.
func (r *reader) assemble() {
	// Where equal priorities meet, libvirt links a chain before the root's own
	// rules, and keeps rules as they stand.
	slices.SortStableFunc(r.clauses, func(x, y placed) int {
		if x.iptables != y.iptables {
			return cmp.Compare(btoi(x.iptables), btoi(y.iptables))
		}
		if x.iptables {
			return cmp.Compare(x.instance.priority, y.instance.priority)
		}
		return cmp.Or(
			cmp.Compare(x.instance.rank(), y.instance.rank()),
			cmp.Compare(btoi(x.instance.chain == "root"), btoi(y.instance.chain == "root")),
			cmp.Compare(x.instance.chain, y.instance.chain),
			cmp.Compare(x.instance.priority, y.instance.priority),
		)
	})
	chains := map[string]int{"root": 0}
	for _, p := range r.clauses {
		to := r.filter.ebtables
		if p.iptables {
			to = r.filter.iptables
		} else {
			n, ok := chains[p.instance.chain]
			if !ok {
				n = len(chains)
				chains[p.instance.chain] = n
			}
			p.clause.Chain = n
		}
		to[p.slice] = append(to[p.slice], p.clause)
	}
}

// rank is the place in the root chain: the rule's own, or its chain's.
func (i *instance) rank() int {
	if i.chain == "root" {
		return i.priority
	}
	return i.chainPriority
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
