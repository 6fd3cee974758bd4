// Package compose reads compose files: which services they have, and what each says,
// in the short one of the forms that there are for it. It knows the form alone and
// decides nothing.
package compose

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// File is a compose file.
type File struct {
	Project  string // "" where it has no name
	Services []Service
}

// Service is one of its services.
type Service struct {
	Name     string
	Line     int
	Settings []Setting
}

// Setting is one thing that a service says. Of what stands below a key, such as
// healthcheck, each has a setting of its own, "healthcheck.interval".
type Setting struct {
	Key    string
	Line   int
	Values []string // a mapping's as NAME=VALUE, or NAME where it has no value
	Scalar bool     // it is one value and no list
}

// maxValues bounds the values that are read, since aliases may multiply them.
const maxValues = 5000

// Read reads a compose file. What stands in the place of a mapping without being one
// is as if it were not there.
func Read(data []byte) (*File, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	r, f := &reader{left: maxValues}, &File{}
	if len(doc.Content) != 1 {
		return f, nil
	}
	for _, top := range r.pairs(doc.Content[0]) {
		switch top.key {
		case "services":
			for _, s := range r.pairs(top.value) {
				f.Services = append(f.Services, Service{s.key, s.line, r.settings(s.value)})
			}
		case "name":
			f.Project = top.value.Value
		}
	}
	if r.left <= 0 {
		return nil, fmt.Errorf("more than %d values, counting those of aliases", maxValues)
	}
	return f, nil
}

// reader follows aliases, as often as it may.
type reader struct{ left int }

// pair is a key of a mapping with its value.
type pair struct {
	key   string
	value *yaml.Node
	line  int
}

// pairs are those of a mapping, what it merges (<<) behind its own.
func (r *reader) pairs(n *yaml.Node) (list []pair) {
	n = r.real(n)
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	var merged []pair
	for i := 0; i+1 < len(n.Content) && r.left > 0; i += 2 {
		r.left--
		key, value := n.Content[i], r.real(n.Content[i+1])
		if key.Value == "<<" {
			merged = append(merged, r.merged(value)...)
		} else if value != nil {
			list = append(list, pair{key.Value, value, key.Line})
		}
	}
	for _, p := range merged {
		if !slices.ContainsFunc(list, func(own pair) bool { return own.key == p.key }) {
			list = append(list, p)
		}
	}
	return list
}

// merged is what a mapping, or several in a list, bring to the one that merges them.
func (r *reader) merged(n *yaml.Node) (list []pair) {
	if n == nil || n.Kind != yaml.SequenceNode {
		return r.pairs(n)
	}
	for _, one := range r.items(n) {
		list = append(list, r.pairs(one)...)
	}
	return list
}

// items are a list's, each of which is a value: an alias repeats all of them.
func (r *reader) items(n *yaml.Node) (list []*yaml.Node) {
	for _, one := range n.Content {
		if r.left <= 0 {
			break
		}
		r.left--
		if one = r.real(one); one != nil {
			list = append(list, one)
		}
	}
	return list
}

// real is what an alias stands for.
func (r *reader) real(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode && r.left > 0 {
		r.left--
		n = n.Alias
	}
	return n
}

// values are a value's words: one, a list's, or a mapping's.
func (r *reader) values(n *yaml.Node) (list []string) {
	switch n.Kind {
	case yaml.ScalarNode:
		return []string{n.Value}
	case yaml.SequenceNode:
		for _, one := range r.items(n) {
			if one.Kind == yaml.ScalarNode {
				list = append(list, one.Value)
			}
		}
	case yaml.MappingNode:
		for _, p := range r.pairs(n) {
			if p.value.Kind == yaml.ScalarNode && p.value.Tag != "!!null" {
				list = append(list, p.key+"="+p.value.Value)
			} else {
				list = append(list, p.key)
			}
		}
	}
	return list
}

func (r *reader) settings(of *yaml.Node) (list []Setting) {
	for _, p := range r.pairs(of) {
		switch {
		case p.key == "healthcheck", p.key == "ulimits":
			for _, below := range r.pairs(p.value) {
				list = append(list, r.setting(p.key+"."+below.key, below))
			}
		case p.key == "deploy":
			list = append(list, r.deep(p.key, p)...)
		case (p.key == "ports" || p.key == "volumes") && p.value.Kind == yaml.SequenceNode:
			list = append(list, r.short(p)...)
		default:
			list = append(list, r.setting(p.key, p))
		}
	}
	return list
}

// deep are all the values below a key, each as a setting of its own.
func (r *reader) deep(key string, p pair) (list []Setting) {
	if p.value.Kind != yaml.MappingNode {
		return []Setting{r.setting(key, p)}
	}
	for _, below := range r.pairs(p.value) {
		list = append(list, r.deep(key+"."+below.key, below)...)
	}
	return list
}

func (r *reader) setting(key string, p pair) Setting {
	return Setting{key, p.line, r.values(p.value), p.value.Kind == yaml.ScalarNode}
}

// short writes ports and volumes that stand in the long form in the short one. What
// that has no place for is a setting of its own.
func (r *reader) short(p pair) (list []Setting) {
	for _, one := range r.items(p.value) {
		if one.Kind == yaml.ScalarNode {
			list = append(list, Setting{p.key, one.Line, []string{one.Value}, true})
			continue
		}
		has := map[string]string{}
		for _, f := range r.pairs(one) {
			if slices.Contains(long[p.key], f.key) && f.value.Kind == yaml.ScalarNode {
				has[f.key] = f.value.Value
			} else {
				list = append(list, r.setting(p.key+"."+f.key, f))
			}
		}
		key, text := p.key, joined(has["host_ip"], has["published"], has["target"])
		if p.key == "volumes" {
			text = joined(has["source"], has["target"])
			switch {
			case has["type"] == "tmpfs":
				key, text = "tmpfs", has["target"]
			case has["read_only"] == "true":
				text += ":ro"
			}
		} else if has["protocol"] != "" {
			text += "/" + has["protocol"]
		}
		list = append(list, Setting{key, one.Line, []string{text}, true})
	}
	return list
}

// long are the keys of the long forms that the short ones say, too.
var long = map[string][]string{
	"ports":   {"host_ip", "published", "target", "protocol"},
	"volumes": {"type", "source", "target", "read_only"},
}

func joined(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ":")
}
