package container

import (
	"maps"
	"path"
	"slices"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler/apparmor"
	"github.com/sbx-dev/sbx/compiler/libvirt/domain"
)

// hostDevices has libvirt make the devices' files in the container's /dev, for its root
// alone, and allow them in its control group; it makes and allows no others but the
// harmless ones that every container has (virLXCControllerSetupHostdevCapsMisc and
// virLXCCgroupSetupDeviceACL in its sources).
func hostDevices(paths []string) (list []libvirtxml.DomainHostdev) {
	for _, p := range paths {
		list = append(list, libvirtxml.DomainHostdev{CapsMisc: &libvirtxml.DomainHostdevCapsMisc{Source: &libvirtxml.DomainHostdevCapsMiscSource{Char: p}}})
	}
	return list
}

// allowDevices lets what runs inside use them, and the first process open them to
// everyone.
func allowDevices(p *apparmor.Profile, s *domain.Sandbox) {
	if len(s.Devices) == 0 {
		return
	}
	p.For("devices of the host")
	folders := make(map[string]bool)
	for _, device := range s.Devices {
		p.File("rwk", apparmor.Path(device))
		if dir := path.Dir(device); dir != "/dev" {
			folders[dir+"/"] = true
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(folders)) {
		p.File("r", apparmor.Path(dir))
	}
}

// tun makes network interfaces, which are a kind of sockets to SELinux. What libvirt makes
// in a container's /dev is of a type that sbx's module lets containers use.
const tun = "/dev/net/tun"
