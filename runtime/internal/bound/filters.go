package bound

import (
	"fmt"
	"strings"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/runtime/internal/virt"
)

// CheckFilters refuses a running sandbox whose filters are not in force, and says so
// where they hold by one of their two halves only.
func (s *Sandbox) CheckFilters(conn *libvirt.Connect) error {
	if err := virt.CheckBindings(conn, s.Domain); err != nil {
		return err
	}
	if err := s.checkWalls(); err != nil {
		return err
	}
	if off := virt.StatefulOff(); len(off) > 0 && len(s.Filters) > len(s.Walls) {
		s.Log(fmt.Sprintf("%s: %s is not 1 on this host: the firewall holds by its stateless rules alone", s.Name, strings.Join(off, ", ")))
	}
	return nil
}
