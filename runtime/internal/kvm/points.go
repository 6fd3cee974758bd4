package kvm

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/rootfs"
	"github.com/sbx-dev/sbx/schema/diag"
)

// checkPoints refuses, where there is no stage, what the machine is to mount in a
// folder of the host that has no place for it.
func checkPoints(s *bound.Sandbox) error {
	for _, m := range s.Manifest.Mounts {
		outer := rootfs.Enclosing(m.Target, s.Manifest.Mounts)
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
