package verb

import "errors"

// Each does the same with each of the names; what fails with one of them keeps none of
// the others from it.
func Each(names []string, do func(name string) error) error {
	var failed []error
	for _, name := range names {
		if err := do(name); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}
