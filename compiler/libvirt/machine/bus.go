package machine

import (
	"fmt"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler/libvirt/domain"
	"github.com/sbx-dev/sbx/schema/diag"
)

// The slots of a machine's root bus that are free, whatever its architecture: 0 is
// the host bridge, and on x86_64 1 is libvirt's for a video card, 31 the chipset's own.
const (
	firstSlot    = 2
	slots        = 29
	slotFunction = 8
)

// placeOnBus gives every device an address on the root bus. Left to itself
// libvirt puts each behind a PCI Express port of its own, which the guest's
// kernel takes its time to find.
func placeOnBus(s *domain.Sandbox, d *libvirtxml.DomainDeviceList) error {
	var places []**libvirtxml.DomainAddress
	for i := range d.Controllers {
		if d.Controllers[i].Type == "virtio-serial" {
			places = append(places, &d.Controllers[i].Address)
		}
	}
	for i := range d.RNGs {
		places = append(places, &d.RNGs[i].Address)
	}
	for i := range d.Interfaces {
		places = append(places, &d.Interfaces[i].Address)
	}
	for i := range d.Filesystems {
		places = append(places, &d.Filesystems[i].Address)
	}
	for i := range d.Disks {
		places = append(places, &d.Disks[i].Address)
	}
	if len(places) > slots*slotFunction {
		return &diag.Diagnostic{
			Pos:      s.Source.Pos("expose"),
			Severity: diag.Error,
			Code:     "SBX0302",
			Path:     "expose",
			Message:  fmt.Sprintf("a machine has room for %d devices, and these exposed paths, images and networks make %d", slots*slotFunction, len(places)),
			Help:     "expose a folder in place of its parts, or use backend: \"lxc\"",
		}
	}
	for i := range places {
		*places[i] = busAddress(i, len(places))
	}
	return nil
}

// busAddress fills function 0 of every slot before any function 1.
func busAddress(i, total int) *libvirtxml.DomainAddress {
	var domain, bus uint
	slot, function := uint(firstSlot+i%slots), uint(i/slots)
	pci := &libvirtxml.DomainAddressPCI{Domain: &domain, Bus: &bus, Slot: &slot, Function: &function}
	if function == 0 && i+slots < total {
		pci.MultiFunction = "on"
	}
	return &libvirtxml.DomainAddress{PCI: pci}
}
