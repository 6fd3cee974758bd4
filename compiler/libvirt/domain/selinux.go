package domain

import (
	"github.com/sbx-dev/sbx/compiler/identity"
	"github.com/sbx-dev/sbx/compiler/selinux"
	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// SELinuxFile is the bundle's policy for SELinux.
const SELinuxFile = "policy.cil"

// AllowFiles lets a policy see what the sandbox has of the host, and write what is its
// own; run says whether programs start from there. It says whether the sandbox may speak
// through what it sees.
func AllowFiles(p *selinux.Policy, s *Sandbox, run bool) (speaks bool) {
	p.Read(run)
	for _, m := range s.Manifest.Mounts {
		if m.Sockets && !speaks {
			p.For("sockets of the host that it is to use")
			p.Speak()
			speaks = true
		}
	}
	p.For("its own content: memory, and what is writable of the host")
	p.Write(run)
	for _, m := range s.Manifest.Mounts {
		if m.Writable && m.Source != "" && (m.Kind == manifest.Export || m.Kind == manifest.Image) {
			p.Label(m.Source, identity.Categories(s.Name))
		}
	}
	return speaks
}
