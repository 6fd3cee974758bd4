package bound

import (
	"strings"

	"github.com/sbx-dev/sbx/internal/within"
)

// rebaseMachine moves the paths that only a machine's domain has from the
// canonical state folder to this host's.
func (s *Sandbox) rebaseMachine(canonical string) {
	if s.Domain.OS != nil {
		for _, p := range []*string{&s.Domain.OS.Kernel, &s.Domain.OS.Initrd} {
			*p = s.rebased(*p, canonical)
		}
	}
	for _, c := range s.Domain.Devices.Channels {
		if c.Source != nil && c.Source.UNIX != nil {
			c.Source.UNIX.Path = s.rebased(c.Source.UNIX.Path, canonical)
		}
	}
}

func (s *Sandbox) rebased(path, canonical string) string {
	if within.Dir(path, canonical) {
		return s.Dir + strings.TrimPrefix(path, canonical)
	}
	return path
}
