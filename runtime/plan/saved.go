package plan

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Version is the format of a saved plan.
const Version = 1

// Plan is what it takes to make what runs the same as what profiles ask for, and
// what both were when that was found out.
type Plan struct {
	Version int                          `json:"version"`
	Prune   bool                         `json:"prune"`   // it removes sandboxes that no profile has
	Bundles map[string]string            `json:"bundles"` // by sandbox: the digest of its bundle's index
	Live    map[string]map[string]string `json:"live"`    // by sandbox and object: what tells it from a changed one
	Changes []Change                     `json:"changes"`

	// Before are, by sandbox, the others that come before it, where both change.
	Before map[string][]string `json:"before,omitempty"`
}

// Encode writes the plan as JSON: the same bytes for the same plan.
func (p *Plan) Encode() ([]byte, error) {
	text, err := json.MarshalIndent(p, "", "  ")
	return append(text, '\n'), err
}

// Of are the changes of one sandbox.
func (p *Plan) Of(sandbox string) []Change {
	var list []Change
	for _, c := range p.Changes {
		if c.Sandbox == sandbox {
			list = append(list, c)
		}
	}
	return list
}

// Moved says what is not as it was when the plan was made, by comparing it with
// one that was made just now: nothing, or an error that names each change.
func (p *Plan) Moved(now *Plan) error {
	moved := movedBundles(p.Bundles, now.Bundles)
	for _, name := range union(p.Live, now.Live) {
		for _, object := range Moved(p.Live[name], now.Live[name]) {
			line := fmt.Sprintf("%s: %s: changed%s", name, object, now.details(p, name, object))
			moved = append(moved, line)
		}
	}
	if len(moved) == 0 {
		return nil
	}
	return fmt.Errorf("not applied, because what the plan was made for has moved since:\n  %s\nMake a new plan and look at it", strings.Join(moved, "\n  "))
}

func movedBundles(before, now map[string]string) []string {
	var moved []string
	for _, name := range Moved(before, now) {
		switch {
		case before[name] == "":
			moved = append(moved, name+": the profile is new")
		case now[name] == "":
			moved = append(moved, name+": the profile is gone")
		default:
			moved = append(moved, name+": the profile has changed")
		}
	}
	return moved
}

// Moved are the names whose values differ, sorted.
func Moved(before, now map[string]string) []string {
	return slices.DeleteFunc(union(before, now), func(name string) bool {
		b, was := before[name]
		n, is := now[name]
		return was == is && b == n
	})
}

// details shows the changes of an object that the older plan does not have.
func (p *Plan) details(older *Plan, sandbox, object string) string {
	known := map[Change]bool{}
	for _, c := range older.Changes {
		known[c] = true
	}
	var words []string
	for _, c := range p.Of(sandbox) {
		if !known[c] && (c.Object == object || "running "+c.Object == object) {
			words = append(words, strings.TrimSpace(c.Field+" "+c.Values()))
		}
	}
	if len(words) == 0 {
		return ""
	}
	return " (" + strings.Join(words, "; ") + ")"
}

// Values shows both values of a change in one line.
func (c Change) Values() string {
	switch {
	case c.Live == "":
		return "lacks " + c.Desired
	case c.Desired == "":
		return "has " + c.Live
	}
	return "is " + c.Live + " instead of " + c.Desired
}

// Sandboxes are the names that the plan is about, sorted.
func (p *Plan) Sandboxes() []string { return slices.Sorted(maps.Keys(p.Live)) }
