// Package machine is libvirt's QEMU: a machine of its own, booted from the host's
// files.
package machine

import (
	"fmt"
	"math"
	"path"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler/libvirt/domain"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/schema"
)

// Kind is the machines.
var Kind = domain.Kind{Backend: schema.KVM, Domain: lower, AppArmor: appArmor, SELinux: policy}

// kernelArguments keep the guest's kernel silent and quick: it has no console,
// it skips the self-tests of its cryptography, and it ends rather than hang when
// it panics. No argument weakens the kernel.
const kernelArguments = "console=none quiet panic=-1 cryptomgr.notests"

// lower lowers a profile to a machine with nothing in it that the profile
// does not need. Which kernel it boots, whether it is accelerated, which id QEMU
// runs as and, where the profile names none, its architecture depend on the host:
// the runtime binds them.
func lower(s *domain.Sandbox) (*libvirtxml.Domain, error) {
	d, err := s.Base()
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
		d.CPUTune.GlobalPeriod = &libvirtxml.DomainCPUTunePeriod{Value: domain.CPUPeriod}
		d.CPUTune.GlobalQuota = &libvirtxml.DomainCPUTuneQuota{Value: int64(s.Resources.CPUs * domain.CPUPeriod)}
	}
	if err := addDevices(s, d.Devices); err != nil {
		return nil, err
	}
	return d, placeOnBus(s, d.Devices)
}

// bootFile is the host path of a sandbox's "kernel" or "initrd".
func bootFile(name, file string) string {
	return path.Join(state.Default, name, state.Boot, file)
}

// addDevices adds everything but the network interfaces, which are there.
func addDevices(s *domain.Sandbox, d *libvirtxml.DomainDeviceList) error {
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
			Path: path.Join(state.Default, s.Name, state.Channel),
		}},
		Target: &libvirtxml.DomainChannelTarget{VirtIO: &libvirtxml.DomainChannelTargetVirtIO{Name: manifest.PortName}},
	}}
	for _, m := range s.Manifest.Mounts {
		how, err := mountOf(m)
		if err != nil {
			return err
		}
		if how.device != nil {
			how.device(d, m)
		}
	}
	for i := range d.Interfaces {
		d.Interfaces[i].Model = &libvirtxml.DomainInterfaceModel{Type: "virtio"}
		d.Interfaces[i].ROM = &libvirtxml.DomainROM{Enabled: "no"}
	}
	return nil
}
