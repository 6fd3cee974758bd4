package draft

import (
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/internal/draft/known"
)

// notInContainers are the capabilities that libvirt's containers cannot be given.
var notInContainers = []string{"dac_read_search", "perfmon", "bpf", "checkpoint_restore"}

// usual are what a service holds that starts as root and of which nothing is known.
var usual = []known.Reasoned{
	{Name: "chown", Why: "not known whether it needs this: try without"},
	{Name: "dac_override", Why: "not known whether it needs this: try without"},
	{Name: "fowner", Why: "not known whether it needs this: try without"},
	{Name: "kill", Why: "not known whether it needs this: try without"},
	{Name: "setgid", Why: "the change from root to its user"},
	{Name: "setuid", Why: "the change from root to its user"},
}

// capabilities are those of root inside, or of the user where own is true.
func (s *service) capabilities(ports []port) (all []known.Reasoned, own bool) {
	bounds := slices.DeleteFunc(s.bounds(), func(name string) bool {
		if !slices.Contains(notInContainers, name) {
			return false
		}
		s.edit("capabilities: no container can have %s, which the unit's CapabilityBoundingSet= has: it is left out", name)
		return true
	})
	low := slices.ContainsFunc(ports, func(p port) bool { return p.number < 1024 })
	ambient := s.ambient()
	switch {
	case len(s.known.Capabilities) > 0:
		return s.known.Capabilities, !s.isRoot()
	case !s.isRoot():
		all = ambient
		if low && len(all) == 0 {
			all = []known.Reasoned{{Name: "net_bind_service", Why: "a port below 1024"}}
		}
		return all, len(all) > 0
	case bounds != nil:
		for _, c := range bounds {
			all = append(all, known.Reasoned{Name: c, Why: "CapabilityBoundingSet of the unit"})
		}
		return all, false
	}
	if low {
		all = append(all, known.Reasoned{Name: "net_bind_service", Why: "a port below 1024"})
	}
	return append(all, usual...), false
}

// bounds is the unit's bounding set where it is a list; nil where it says nothing or
// only what is not in it.
func (s *service) bounds() []string {
	var all []string
	said := false
	for _, v := range s.unit.All("Service", "CapabilityBoundingSet") {
		if strings.HasPrefix(v.Value, "~") {
			return nil // told of, as what the profile does not say
		}
		said = true
		all = append(all, capabilityNames(v.Value)...)
	}
	s.done("CapabilityBoundingSet")
	if !said {
		return nil
	}
	slices.Sort(all)
	return append([]string{}, slices.Compact(all)...)
}

func (s *service) ambient() (all []known.Reasoned) {
	for _, v := range s.unit.All("Service", "AmbientCapabilities") {
		if strings.HasPrefix(v.Value, "~") {
			continue
		}
		for _, c := range capabilityNames(v.Value) {
			all = append(all, known.Reasoned{Name: c, Why: "AmbientCapabilities of the unit"})
		}
	}
	s.done("AmbientCapabilities")
	return all
}

func capabilityNames(text string) (all []string) {
	for word := range strings.FieldsSeq(text) {
		if name, ok := strings.CutPrefix(strings.ToLower(word), "cap_"); ok {
			all = append(all, name)
		}
	}
	return all
}
