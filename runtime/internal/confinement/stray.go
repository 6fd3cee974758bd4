package confinement

import (
	"os"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/mac"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Strays are the AppArmor profiles of sandboxes that are neither libvirt's domains, by
// their UUIDs, nor named. libvirt's own are called so, too, by the UUID that it has
// thrown dice for; sbx's are derived from a name, which shows in them (RFC 9562, version 5).
func Strays(host mac.Host, domains, names []string) (profiles []string, err error) {
	if !host.Enabled() || os.Geteuid() != 0 {
		return nil, nil
	}
	all, err := host.Profiles()
	if err != nil {
		return nil, fault.Because(diag.AppArmor, err)
	}
	return slices.DeleteFunc(all, func(profile string) bool {
		text, is := strings.CutPrefix(profile, profilePrefix)
		id, err := uuid.Parse(text)
		return !is || err != nil || id.Version() != 5 || id.String() != text || slices.Contains(domains, text) ||
			slices.ContainsFunc(names, func(name string) bool { return compiler.AppArmorName(name) == profile })
	}), nil
}

// profilePrefix is before the UUID in a profile's name.
const profilePrefix = "libvirt-"

// UnloadStray takes one of them from the kernel.
func UnloadStray(profile string) error { return fault.Because(diag.AppArmor, mac.Unload(profile)) }
