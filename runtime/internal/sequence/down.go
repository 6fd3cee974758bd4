package sequence

import (
	"fmt"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema"
)

// Down gives, by name, which of the named sandboxes are to be taken down before each, as
// the connections know them.
func Down(names []string, each func(func(*libvirt.Connect, schema.Backend) (bool, error)) error) (map[string][]string, error) {
	var steps []Step
	for _, name := range names {
		err := each(func(conn *libvirt.Connect, _ schema.Backend) (bool, error) {
			// What cannot be read has no order: taking it down says why, and the others go.
			if step, err := StepDown(conn, name); err == nil && step.Has != nil {
				steps = append(steps, step)
			}
			return true, nil
		})
		if err != nil {
			return nil, err
		}
	}
	return Before(steps)
}

// StepDown is the way of a sandbox that is to be taken down; that of one that is not
// there has nothing.
func StepDown(conn *libvirt.Connect, name string) (Step, error) {
	step := Step{Name: name}
	dom, m, err := virt.LookupOwn(conn, name)
	if dom == nil || err != nil {
		return step, err
	}
	defer dom.Free()
	d, err := virt.Describe(dom, libvirt.DOMAIN_XML_INACTIVE)
	if virt.IsGone(err) {
		return step, nil
	}
	if err != nil {
		return step, fmt.Errorf("%s: %w", name, virt.Plain(err))
	}
	step.Has, step.Networks = m, Networks(d)
	return step, nil
}
