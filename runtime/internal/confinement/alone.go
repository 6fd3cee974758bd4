package confinement

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/mac"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/schema/diag"
)

// daemons are the AppArmor profiles of libvirt's own daemons: where one is enforced,
// they confine machines.
var daemons = []string{"libvirtd", "/usr/sbin/libvirtd", "virtqemud"}

// daemonsConfine says whether libvirt's daemon would confine by AppArmor here, if it
// ran. libvirt's embedded driver may not see to it: libvirt 9's did on Debian 12, where the
// daemon has a profile, and libvirt 11's confined nothing on Debian 13 (apparmor.sh of
// internal/lab).
func daemonsConfine() (bool, error) {
	if os.Geteuid() != 0 || !ThisHost.Enabled() {
		return false, nil
	}
	for _, name := range daemons {
		loaded, err := ThisHost.Find(name)
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil // where the kernel's policy is not mounted (securityfs) nobody has loaded any
		}
		if err != nil || loaded.Mode == mac.Enforcing {
			return err == nil, err
		}
	}
	return false, nil
}

// Start starts a machine by create, in its profile where libvirt is not told to see to
// that. Pid finds its QEMU.
func Start(s *bound.Sandbox, create func() error, pid func() int) error {
	if s.Confinement == nil || Is(s.Domain, s.Name) {
		return create()
	}
	profile := compiler.AppArmorName(s.Name)
	if err := mac.Within(profile, create); err != nil {
		return err
	}
	confined, err := ThisHost.OfProcess(pid())
	if want := fmt.Sprintf("%s (%s)", profile, mac.Enforcing); err == nil && confined != want {
		err = fmt.Errorf("it is %s, and not in its AppArmor profile %s", confined, want)
	}
	return fault.Because(diag.AppArmor, err)
}
