package drivers

import (
	"os"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/known"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// connector is how to connect for a backend.
type connector = func(schema.Backend) (*libvirt.Connect, error)

// ConnectEphemeral connects to what runs a machine or container for this process
// alone: by connect, or the embedded driver where nobody has named a connection
// and no libvirtd can be used.
func (d *Drivers) ConnectEphemeral(kind schema.Backend, connect connector) (*libvirt.Connect, error) {
	if d.named != "" {
		return connect(kind)
	}
	if k, err := known.Named(kind); err != nil || !k.Embedded {
		return connectContainers(kind, connect)
	}
	// Once libvirt's driver is in this process, it takes qemu:///system for its own.
	if os.Geteuid() == 0 && !d.embed.Taken() {
		conn, err := connect(kind)
		if virt.ErrorCode(err) != libvirt.ERR_SYSTEM_ERROR && !noDriver(kind, err) {
			return conn, err
		}
	}
	return d.embed.Connect()
}

// connectContainers connects to the libvirtd that containers need: libvirt can
// embed its driver for QEMU, but not the one for containers.
func connectContainers(kind schema.Backend, connect connector) (*libvirt.Connect, error) {
	const instead = "a machine (--backend kvm) needs neither libvirtd nor root"
	if os.Geteuid() != 0 {
		return nil, fault.New(diag.NotRoot, "a container (backend %s) needs root and libvirtd: run sbx as root; %s", kind, instead)
	}
	conn, err := connect(kind)
	if err != nil {
		err = fault.New(diag.NoLibvirt, "%w\nA container (backend %s) needs libvirtd; %s", err, kind, instead)
	}
	return conn, err
}
