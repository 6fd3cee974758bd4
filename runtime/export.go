package runtime

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// checkOwners refuses a writable host path that is not a container's own: sbx
// changes no owner of what it did not make.
func (s *sandbox) checkOwners() error {
	base := s.base()
	for _, m := range s.manifest.Mounts {
		if m.Kind != manifest.Export || !m.Writable {
			continue
		}
		owner := s.host[m.Target].UID
		if base != 0 && (owner < base || owner >= base+compiler.IDCount) {
			return fault.New(diag.NotReachable, "%s is to be writable, but belongs to the host's user %d, whom the sandbox does not have: chown -R %d:%d %s", m.Source, owner, base, base, m.Source)
		}
	}
	return nil
}

// checkPoints refuses, where there is no stage, what the machine is to mount in a
// folder of the host that has no place for it.
func (s *sandbox) checkPoints() error {
	for _, m := range s.manifest.Mounts {
		outer := enclosing(m.Target, s.manifest.Mounts)
		if outer == nil || outer.Kind != manifest.Export || outer.Writable {
			continue
		}
		point := filepath.Join(outer.Source, strings.TrimPrefix(m.Target, outer.Target))
		if _, err := os.Stat(point); err != nil {
			return fault.New(diag.NoPlace, "%s is to stand in the exposed %s, but the host has no %s, beside which only root can put something: make that, mount it elsewhere, or run sbx as root (%w)", m.Target, outer.Source, point, err)
		}
	}
	return nil
}
