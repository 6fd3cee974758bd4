package machine

import (
	"slices"

	"github.com/sbx-dev/sbx/compiler/libvirt/domain"
	"github.com/sbx-dev/sbx/compiler/selinux"
	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// policy confines QEMU by SELinux: what a guest that has broken out of its machine can
// do on the host. It reads what the sandbox sees, runs nothing, and holds no capability
// but those that libvirt gives up in its type.
func policy(s *domain.Sandbox) ([]byte, error) {
	p := selinux.New(s.Name, selinux.Machine)
	for _, m := range s.Manifest.Mounts {
		if _, err := mountOf(m); err != nil {
			return nil, err
		}
	}
	open := selinux.Opened{Sockets: []string{selinux.Interface}} // of its network, which libvirt makes and sbx's module lets it have
	open.Speaks = domain.AllowFiles(p, s, false)
	if slices.ContainsFunc(s.Manifest.Mounts, func(m manifest.Mount) bool { return m.Kind == manifest.Image && !m.Writable }) {
		p.Examine()
	}
	p.Wall(open)
	return p.Encode(), nil
}
