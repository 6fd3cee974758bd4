package machine

import (
	"fmt"
	"slices"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler/apparmor"
	"github.com/sbx-dev/sbx/compiler/libvirt/domain"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/state"
)

// mount is what QEMU has to do with a kind of mount: the device by which the machine
// sees it, and what QEMU does on the sandbox's stage.
type mount struct {
	device func(*libvirtxml.DomainDeviceList, manifest.Mount)
	access func(p *apparmor.Profile, stage apparmor.Pattern, m manifest.Mount)
}

var mounts = map[string]mount{
	manifest.Export: {
		device: func(d *libvirtxml.DomainDeviceList, m manifest.Mount) {
			d.Filesystems = append(d.Filesystems, export(m))
		},
		access: func(p *apparmor.Profile, stage apparmor.Pattern, m manifest.Mount) {
			p.File(exportAccess(m), (stage + apparmor.Path(m.Tag)).Tree())
		},
	},
	manifest.Image: {
		device: func(d *libvirtxml.DomainDeviceList, m manifest.Mount) {
			d.Disks = append(d.Disks, disk(m, len(d.Disks)))
		},
		access: func(p *apparmor.Profile, stage apparmor.Pattern, m manifest.Mount) {
			p.File(imageAccess(m), stage+state.StageImages+"/"+apparmor.Path(m.Tag))
		},
	},
}

// mountOf asks how a mount comes into the machine. One without a tag does not: the
// first process makes it.
func mountOf(m manifest.Mount) (mount, error) {
	how, ok := mounts[m.Kind]
	if !ok && (m.Tag != "" || !slices.Contains(manifest.MountKinds, m.Kind)) {
		return mount{}, fmt.Errorf("mounts.%q: a machine has no mounts of the kind %q", m.Target, m.Kind)
	}
	return how, nil
}

func exportAccess(m manifest.Mount) string {
	if m.Writable {
		return "rwl" // the guest makes hard links; its locks stay inside
	}
	return "r"
}

// imageAccess has QEMU lock images, as it does with those that it only reads.
func imageAccess(m manifest.Mount) string {
	if m.Writable {
		return "rwk"
	}
	return "rk"
}

// export shares one host path over 9p. "squash" is QEMU's security model
// "none": the guest's wishes for owners, which QEMU's own id cannot grant, are
// not errors. The tag, not the target, is what the machine sees of it.
func export(m manifest.Mount) libvirtxml.DomainFilesystem {
	f := domain.HostFilesystem(m.Source, m.Tag, m.Writable)
	f.AccessMode = "squash"
	f.MultiDevs = "remap" // inode numbers of two file systems below one path may meet
	f.Driver = &libvirtxml.DomainFilesystemDriver{Type: "path"}
	return f
}

// disk attaches a disk image. Its backing chain ends where it starts: a
// writable qcow2 could name any host file as its backing file.
func disk(m manifest.Mount, index int) libvirtxml.DomainDisk {
	d := libvirtxml.DomainDisk{
		Device:       "disk",
		Driver:       &libvirtxml.DomainDiskDriver{Name: "qemu", Type: m.Format},
		Source:       &libvirtxml.DomainDiskSource{File: &libvirtxml.DomainDiskSourceFile{File: m.Source}},
		BackingStore: &libvirtxml.DomainDiskBackingStore{},
		Target:       &libvirtxml.DomainDiskTarget{Dev: diskName(index), Bus: "virtio"},
		Serial:       m.Tag,
	}
	if !m.Writable {
		d.ReadOnly = &libvirtxml.DomainDiskReadOnly{}
	}
	return d
}

// diskName counts vda, vdb, … vdz, vdaa, as libvirt does.
func diskName(index int) string {
	name := ""
	for ; index >= 0; index = index/26 - 1 {
		name = string(rune('a'+index%26)) + name
	}
	return "vd" + name
}
