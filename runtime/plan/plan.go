// Package plan compares what profiles ask for with what libvirt has, by
// structure: values that libvirt fills in, the order of elements that have none,
// and comments are no difference. It knows libvirt's documents and not libvirt,
// and decides nothing but what each difference takes to go away.
package plan

import (
	"cmp"
	"slices"
)

// Effect is what it takes to make a change.
type Effect string

// The effects.
const (
	Create   Effect = "create"   // the sandbox is not there yet
	Live     Effect = "live"     // made while the sandbox runs on
	Redefine Effect = "redefine" // written to libvirt's definition; what runs has it already
	Restart  Effect = "restart"  // the sandbox is stopped and started
	Remove   Effect = "remove"   // no profile has the sandbox any more
)

// Change is one difference between what a profile asks for and what there is.
type Change struct {
	Sandbox string `json:"sandbox"`
	Object  string `json:"object"`            // "domain", "filter sbx-web", "rules of sbx0123456789ab", …
	Field   string `json:"field,omitempty"`   // a path in the object's document
	Live    string `json:"live,omitempty"`    // what there is; empty: nothing
	Desired string `json:"desired,omitempty"` // what the profile asks for; empty: nothing
	Effect  Effect `json:"effect"`
	Why     string `json:"why"`             // of the effect
	Since   string `json:"since,omitempty"` // when it came about, where that is known (RFC 3339)
}

// Sort puts changes into the order in which they are shown.
func Sort(list []Change) {
	slices.SortStableFunc(list, func(a, b Change) int {
		return cmp.Or(
			cmp.Compare(a.Sandbox, b.Sandbox),
			cmp.Compare(a.Object, b.Object),
			cmp.Compare(a.Field, b.Field),
			cmp.Compare(a.Live, b.Live),
			cmp.Compare(a.Desired, b.Desired),
		)
	})
}

// Needs says whether any of the changes has one of the effects.
func Needs(list []Change, effects ...Effect) bool {
	return slices.ContainsFunc(list, func(c Change) bool { return slices.Contains(effects, c.Effect) })
}

// Objects names what the changes are of, each once, in their order.
func Objects(list []Change) []string {
	var names []string
	for _, c := range list {
		if !slices.Contains(names, c.Object) {
			names = append(names, c.Object)
		}
	}
	return names
}

// Difference is a field in which two documents differ.
type Difference struct {
	Field         string
	Live, Desired string // empty: it is not there
}
