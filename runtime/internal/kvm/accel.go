package kvm

import (
	"fmt"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/internal/arch"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/qemu"
	"github.com/sbx-dev/sbx/schema/diag"
)

// chooseAccel decides for a profile's "require" or "prefer", unless one is forced, and
// tells when it is not KVM.
func chooseAccel(s *bound.Sandbox, forced string) (string, error) {
	if host, err := arch.Host(); err != nil || s.Arch.Name != host.Name {
		return chooseForeign(s, forced)
	}
	switch forced {
	case qemu.AccelKVM:
		return qemu.AccelKVM, nil
	case qemu.AccelTCG:
		s.Log("the machine runs without hardware virtualisation, as --accel tcg asks: it is many times slower")
		return qemu.AccelTCG, nil
	}
	err := qemu.CheckKVM()
	switch {
	case err == nil:
		return qemu.AccelKVM, nil
	case s.Metadata.Machine.Accel == "prefer":
		s.Log(fmt.Sprintf("the machine runs without hardware virtualisation, many times slower: %v", err))
		return qemu.AccelTCG, nil
	}
	return "", fault.New(diag.NoAccel, "machine.accel requires hardware virtualisation: %w; or go on without, many times slower, with --accel tcg or machine: accel: \"prefer\"", err)
}

// translationCache is how much translated code an emulating QEMU keeps, in KiB.
// Its own default is 1 GiB on a host with enough memory.
//
// Every process of a guest has its libraries at other addresses, and QEMU (7.2)
// translates their code anew for each. When the guest uses such a page of memory
// for something else, QEMU drops the page's translations one by one and looks for
// each among all of them: after some hundred processes the machine stands still
// for seconds, after more for minutes. A full cache is dropped as a whole, in no
// time; a machine's start about fills this one.
const translationCache = 64 << 10

// fastCopies are the properties of x86_64's processors that say that they copy bytes fast
// by one instruction (rep movsb), for which kernels and programs then use that: many bytes,
// and few, which newer QEMUs claim, too. QEMU emulates that byte by byte; without, they
// copy eight bytes or more at a time, and a command's output takes half the work (of the
// first one, QEMU 7.2).
var fastCopies = []string{"erms", "fsrm"}

// emulate has the domain do without hardware virtualisation.
func emulate(d *libvirtxml.Domain) {
	d.Type = "qemu"
	switch d.OS.Type.Arch {
	case arch.X86:
		d.CPU = &libvirtxml.DomainCPU{Mode: "maximum"}
		for _, name := range fastCopies {
			d.CPU.Features = append(d.CPU.Features, libvirtxml.DomainCPUFeature{Policy: "disable", Name: name})
		}
	case arch.ARM:
		d.CPU = &libvirtxml.DomainCPU{Mode: "custom", Match: "exact", Check: "none",
			Model: &libvirtxml.DomainCPUModel{Fallback: "forbid", Value: emulatedARM}}
		d.Features.GIC = &libvirtxml.DomainFeatureGIC{Version: "3"} // libvirt's own choice takes 8 processors at most
	}
	d.Features.TCG = &libvirtxml.DomainFeatureTCG{
		TBCache: &libvirtxml.DomainFeatureTCGTBCache{Unit: "KiB", Size: translationCache},
	}
}
