// Package inspect tells of the parts of one sandbox: its interfaces, what it sees of the
// host's files and whose ids it has. runtime.Inspect asks it.
package inspect

import (
	"strings"

	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/within"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
)

// Interface is one of the sandbox's network interfaces.
type Interface struct {
	Device  string `json:"device"` // its end on the host
	MAC     string `json:"mac"`
	Network string `json:"network,omitempty"`
	Bridge  string `json:"bridge,omitempty"`
	Filter  string `json:"filter"`          // that its definition names
	Bound   string `json:"bound,omitempty"` // that it is behind now
}

// Mount is a host path that the sandbox sees.
type Mount struct {
	Source   string `json:"source"`
	Target   string `json:"target"`
	Writable bool   `json:"writable,omitempty"`
}

// IDs is the range of host ids that the sandbox's own stand for.
type IDs struct {
	First uint `json:"first"`
	Count uint `json:"count"`
}

// Mounts are the host paths that a sandbox sees, with what is mounted below them. Where
// what its first process was told is not here (nil), they are what its metadata notes.
func Mounts(told *manifest.Manifest, notes *compiler.Metadata) []Mount {
	list := []Mount{}
	if told == nil {
		for _, s := range notes.Sources {
			if s.Target != "" {
				list = append(list, Mount{s.Path, s.Target, s.Writable})
			}
		}
		return list
	}
	for _, m := range told.Mounts {
		if !bound.IsOfHost(m) {
			continue
		}
		list = append(list, Mount{m.Source, m.Target, m.Writable})
		for _, s := range notes.Sources {
			if !s.Entries && s.Path != m.Source && within.Dir(s.Path, m.Source) {
				list = append(list, Mount{s.Path, m.Target + strings.TrimPrefix(s.Path, m.Source), false})
			}
		}
	}
	return list
}

// IDsOf are those of a container with a user namespace; nil for any other domain.
func IDsOf(d *libvirtxml.Domain) *IDs {
	if d.IDMap == nil || len(d.IDMap.UIDs) == 0 {
		return nil
	}
	return &IDs{d.IDMap.UIDs[0].Target, d.IDMap.UIDs[0].Count}
}

// Interfaces are those of a domain's definition; conn is libvirt's driver of it.
func Interfaces(conn *libvirt.Connect, d *libvirtxml.Domain) []Interface {
	list := []Interface{}
	if d.Devices == nil {
		return list
	}
	for _, nic := range d.Devices.Interfaces {
		list = append(list, describe(conn, nic))
	}
	return list
}

func describe(conn *libvirt.Connect, nic libvirtxml.DomainInterface) Interface {
	var i Interface
	if nic.MAC != nil {
		i.MAC = nic.MAC.Address
	}
	if nic.FilterRef != nil {
		i.Filter = nic.FilterRef.Filter
	}
	if nic.Source != nil && nic.Source.Network != nil {
		i.Network = nic.Source.Network.Network
	}
	if nic.Source != nil && nic.Source.Bridge != nil {
		i.Bridge = nic.Source.Bridge.Bridge
	}
	if nic.Target == nil {
		return i
	}
	i.Device = nic.Target.Dev
	i.Bound, _ = virt.BoundFilter(conn, i.Device) // nothing where it is behind none
	return i
}
