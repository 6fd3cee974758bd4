// Package toy is a third kind of libvirt's domains, for a test.
package toy

import (
	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler/libvirt/domain"
)

// Kind is the toys.
var Kind = domain.Kind{Backend: "toy", Domain: lower, AppArmor: confine, SELinux: confine}

func lower(s *domain.Sandbox) (*libvirtxml.Domain, error) {
	d, err := s.Base()
	if err != nil {
		return nil, err
	}
	d.Type = "toy"
	for _, m := range s.Manifest.Mounts {
		d.Devices.Filesystems = append(d.Devices.Filesystems, domain.HostFilesystem(m.Source, m.Target, m.Writable))
	}
	return d, nil
}

func confine(*domain.Sandbox) ([]byte, error) { return []byte("toy\n"), nil }
