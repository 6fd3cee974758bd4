package confinement

import (
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/selinux"
)

// SELinux's policy is made anew, of all its modules, whenever one comes or goes, which takes
// a processor seconds. What is done to many sandboxes has it made once.

// OfferTogether has it contain those of sandboxes, and gives whose: none where one cannot be
// put there, of which Offer tells.
func OfferTogether(sandboxes []*bound.Sandbox) (names []string) {
	modules := map[string][]byte{}
	for _, s := range sandboxes {
		if s.Module != nil {
			modules[s.Name] = s.Module
			names = append(names, s.Name)
		}
	}
	if len(names) < 2 || selinux.Load(modules) != nil {
		return nil
	}
	return names
}

// Policed are those of the sandboxes that it contains policies of.
func Policed(names []string) (policed []string) {
	for _, name := range names {
		if selinux.Has(name) {
			policed = append(policed, name)
		}
	}
	return policed
}

// Withdraw takes those of sandboxes from it, which must have ended, and says whether any
// was there.
func Withdraw(names ...string) (found bool, err error) { return selinux.Unload(names...) }

// Sandboxes are those that it contains policies of, whether they are there or not.
func Sandboxes() []string { return selinux.Sandboxes() }
