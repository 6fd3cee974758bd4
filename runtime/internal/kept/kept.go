// Package kept knows what a sandbox was started with, from what is kept of that: its
// domain, the notes in it, and its folder.
package kept

import (
	"fmt"
	"strings"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/confinement"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema"
	"libvirt.org/go/libvirt"
)

// Moved are the host paths at which something else stands by now than what the
// sandbox was started with.
func Moved(m *compiler.Metadata) (paths []string) {
	for _, s := range m.Sources {
		if bound.Identify(s) != s.ID {
			paths = append(paths, s.Path)
		}
	}
	return paths
}

// Read gives a sandbox whose folder is dir as far as it can be told without its bundle,
// which alone says where secrets are found. What its first process was told is told.
func Read(dom *libvirt.Domain, name string, kind schema.Backend, dir string, told *manifest.Manifest, log func(line string)) (*bound.Sandbox, error) {
	s := &bound.Sandbox{Name: name, Backend: kind, Dir: dir, Manifest: told, Log: log}
	var err error
	if s.Metadata, err = virt.Metadata(dom); s.Metadata == nil || err != nil {
		return nil, virt.LostMeanwhile(name, err)
	}
	if s.Domain, err = virt.Describe(dom, libvirt.DOMAIN_XML_INACTIVE); err != nil {
		return nil, virt.LostMeanwhile(name, err)
	}
	if s.Manifest == nil || len(s.Manifest.Secrets) > 0 {
		return nil, fmt.Errorf("%s: something else stands by now at %s, which takes a start of the whole sandbox, and that its profile: sbx up %s", name, strings.Join(Moved(s.Metadata), ", "), name)
	}
	if confinement.Is(s.Domain, name) {
		if s.Confinement, err = confinement.Kept(s.Dir); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	s.Digest, s.Job = s.Metadata.Bundle, s.Metadata.Every != "" // of which a run is under way
	for _, l := range s.Domain.SecLabel {
		if l.Model == "dac" {
			if _, err := fmt.Sscanf(l.Label, "+%d:+%d", &s.QEMU.UID, &s.QEMU.GID); err != nil {
				return nil, fmt.Errorf("%s: the domain's label %q: %w", name, l.Label, err)
			}
		}
	}
	return s, nil
}
