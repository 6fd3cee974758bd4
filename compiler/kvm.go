package compiler

import (
	"fmt"
	"math"
	"path"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/state"
)

// kernelArguments keep the guest's kernel silent and quick: it has no console,
// it skips the self-tests of its cryptography, and it ends rather than hang when
// it panics. No argument weakens the kernel.
const kernelArguments = "console=none quiet panic=-1 cryptomgr.notests"

// kvmDomain lowers a profile to a machine with nothing in it that the profile
// does not need. Which kernel it boots, whether it is accelerated, which id QEMU
// runs as and, where the profile names none, its architecture depend on the host:
// the runtime binds them.
func (s *sandbox) kvmDomain() (*libvirtxml.Domain, error) {
	d, err := s.newDomain()
	if err != nil {
		return nil, err
	}
	d.Type = "kvm"
	d.OS = &libvirtxml.DomainOS{
		Type:    &libvirtxml.DomainOSType{Type: "hvm"},
		Kernel:  bootFile(s.Name, "kernel"),
		Initrd:  bootFile(s.Name, "initrd"),
		Cmdline: kernelArguments,
	}
	d.Features = &libvirtxml.DomainFeatureList{}
	if s.Machine.Arch != "" {
		if err := BindArch(d, s.Machine.Arch); err != nil {
			return nil, fmt.Errorf("%s: machine.arch: %w", s.Source.Pos("machine.arch"), err)
		}
	}
	d.CPU = &libvirtxml.DomainCPU{Mode: "maximum"}
	if whole := math.Ceil(s.Resources.CPUs); whole != s.Resources.CPUs {
		d.CPUTune.GlobalPeriod = &libvirtxml.DomainCPUTunePeriod{Value: cpuPeriod}
		d.CPUTune.GlobalQuota = &libvirtxml.DomainCPUTuneQuota{Value: int64(s.Resources.CPUs * cpuPeriod)}
	}
	s.addMachineDevices(d.Devices)
	return d, s.placeOnBus(d.Devices)
}

// bootFile is the host path of a sandbox's "kernel" or "initrd".
func bootFile(name, file string) string {
	return path.Join(StateDir, name, state.Boot, file)
}

// addMachineDevices adds everything but the network cards, which are there.
func (s *sandbox) addMachineDevices(d *libvirtxml.DomainDeviceList) {
	d.Controllers = []libvirtxml.DomainController{
		{Type: "usb", Model: "none"},
		{Type: "virtio-serial", Index: new(uint)},
	}
	d.MemBalloon = &libvirtxml.DomainMemBalloon{Model: "none"}
	d.RNGs = []libvirtxml.DomainRNG{{
		Model:   "virtio",
		Backend: &libvirtxml.DomainRNGBackend{Random: &libvirtxml.DomainRNGBackendRandom{Device: "/dev/urandom"}},
	}}
	d.Channels = []libvirtxml.DomainChannel{{
		Source: &libvirtxml.DomainChardevSource{UNIX: &libvirtxml.DomainChardevSourceUNIX{
			Mode: "bind",
			Path: path.Join(StateDir, s.Name, state.Channel),
		}},
		Target: &libvirtxml.DomainChannelTarget{VirtIO: &libvirtxml.DomainChannelTargetVirtIO{Name: manifest.PortName}},
	}}
	for _, m := range s.manifest.Mounts {
		switch m.Kind {
		case manifest.Export:
			d.Filesystems = append(d.Filesystems, machineExport(m))
		case manifest.Image:
			d.Disks = append(d.Disks, machineDisk(m, len(d.Disks)))
		}
	}
	for i := range d.Interfaces {
		d.Interfaces[i].Model = &libvirtxml.DomainInterfaceModel{Type: "virtio"}
		d.Interfaces[i].ROM = &libvirtxml.DomainROM{Enabled: "no"}
	}
}

// machineExport shares one host path over 9p. "squash" is QEMU's security model
// "none": the guest's wishes for owners, which QEMU's own id cannot grant, are
// not errors. The tag, not the target, is what the machine sees of it.
func machineExport(m manifest.Mount) libvirtxml.DomainFilesystem {
	f := hostFilesystem(m.Source, m.Tag, m.Writable)
	f.AccessMode = "squash"
	f.MultiDevs = "remap" // inode numbers of two file systems below one path may meet
	f.Driver = &libvirtxml.DomainFilesystemDriver{Type: "path"}
	return f
}

// machineDisk attaches a disk image. Its backing chain ends where it starts: a
// writable qcow2 could name any host file as its backing file.
func machineDisk(m manifest.Mount, index int) libvirtxml.DomainDisk {
	disk := libvirtxml.DomainDisk{
		Device:       "disk",
		Driver:       &libvirtxml.DomainDiskDriver{Name: "qemu", Type: m.Format},
		Source:       &libvirtxml.DomainDiskSource{File: &libvirtxml.DomainDiskSourceFile{File: m.Source}},
		BackingStore: &libvirtxml.DomainDiskBackingStore{},
		Target:       &libvirtxml.DomainDiskTarget{Dev: diskName(index), Bus: "virtio"},
		Serial:       m.Tag,
	}
	if !m.Writable {
		disk.ReadOnly = &libvirtxml.DomainDiskReadOnly{}
	}
	return disk
}

// diskName counts vda, vdb, … vdz, vdaa, as libvirt does.
func diskName(index int) string {
	name := ""
	for ; index >= 0; index = index/26 - 1 {
		name = string(rune('a'+index%26)) + name
	}
	return "vd" + name
}
