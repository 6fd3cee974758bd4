package runtime

import (
	"fmt"
	"strings"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/runtime/internal/virt"
)

// checkFilters refuses a running sandbox whose filters are not in force, and says so
// where they hold by one of their two halves only.
func (r *Runtime) checkFilters(conn *libvirt.Connect, s *sandbox) error {
	if err := virt.CheckBindings(conn, s.domain); err != nil {
		return err
	}
	if off := virt.StatefulOff(); len(off) > 0 && len(s.filters) > 0 {
		r.options.Log(fmt.Sprintf("%s: %s is not 1 on this host: the firewall holds by its stateless rules alone", s.name, strings.Join(off, ", ")))
	}
	return nil
}
