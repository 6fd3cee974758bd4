package runtime

import (
	"context"
	"errors"
)

// DownAll takes all sandboxes down that sbx made, those of sbx run and what is left
// of lost and interrupted ones among them, and calls done for each. One that fails
// does not stop the others.
func (r *Runtime) DownAll(ctx context.Context, done func(name string, err error)) error {
	list, err := r.List()
	if err != nil {
		return err
	}
	names := make([]string, len(list))
	for i, s := range list {
		names[i] = s.Name
	}
	var failed []error
	take := func(names []string) {
		for _, name := range names {
			_, err := r.Down(ctx, name)
			failed = append(failed, err)
			done(name, err)
		}
	}
	take(names)
	if !r.drivers.Local() {
		return errors.Join(failed...)
	}
	failed = append(failed, r.sweep(ctx))
	lost, err := r.lost(map[string]bool{})
	names = nil
	for _, c := range lost {
		names = append(names, c.Sandbox)
	}
	take(names)
	return errors.Join(append(failed, err)...)
}
