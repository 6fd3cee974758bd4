// Package usage measures what sandboxes use of the host.
package usage

import (
	"time"

	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/runtime/internal/kinds"
	"github.com/sbx-dev/sbx/runtime/internal/proc"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
)

// sampleTime is between the two looks by which processor time is told.
const sampleTime = 100 * time.Millisecond

// Usage is what a sandbox uses. What could not be found out is zero.
type Usage struct {
	CPU        float64 // processors: 0.5 is half of one
	Memory     int64   // in bytes
	Age        time.Duration
	User       *uint32  // the host's: whom a machine's QEMU runs as, and a container's root
	Leased     []string // the addresses that DHCP servers of its networks gave it
	Controller int      // libvirt's process of a container
}

// OfDomain measures a domain that runs; local says that it runs on this machine.
func OfDomain(conn *libvirt.Connect, name string, kind *kinds.Kind, local bool) (u Usage) {
	dom, err := conn.LookupDomainByName(name)
	if err != nil {
		return u
	}
	defer dom.Free()
	began := time.Now()
	before, err := dom.GetInfo()
	if err != nil {
		return u
	}
	time.Sleep(sampleTime)
	after, err := dom.GetInfo()
	if err != nil {
		return u
	}
	if after.CpuTime > before.CpuTime { // one that ends meanwhile has used none
		u.CPU = float64(after.CpuTime-before.CpuTime) / float64(time.Since(began))
	}
	u.Memory = kind.Memory(dom, after)
	d, err := virt.Describe(dom, 0)
	if err != nil {
		return u
	}
	u.Leased = virt.Leased(conn, d)
	if kind.Mapped {
		u.User = containerUser(d)
	}
	if !local {
		return u
	}
	pid := kind.Process(dom, name)
	u.Age = proc.Age(pid)
	if kind.Mapped {
		u.Controller = pid
	} else {
		u.User = proc.ProcessUser(pid)
	}
	return u
}

// OfProcess measures a machine that no libvirtd knows of, by its QEMU.
func OfProcess(pid int) Usage {
	began, before := time.Now(), proc.ProcessorTime(pid)
	time.Sleep(sampleTime)
	return Usage{
		CPU:    float64(proc.ProcessorTime(pid)-before) / float64(time.Since(began)),
		Memory: proc.ResidentMemory(pid),
		Age:    proc.Age(pid),
		User:   proc.ProcessUser(pid),
	}
}

// containerUser is the host's id of the container's root.
func containerUser(d *libvirtxml.Domain) *uint32 {
	user := uint32(0)
	if d.IDMap != nil && len(d.IDMap.UIDs) > 0 {
		user = uint32(d.IDMap.UIDs[0].Target)
	}
	return &user
}
