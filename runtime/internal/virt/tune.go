package virt

import (
	"fmt"

	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

// Tune changes one element of the running domain. The comparison knows which there
// are. See "virDomainSetMemoryParameters" and its like in libvirt's reference.
func Tune(dom *libvirt.Domain, part string, want *libvirtxml.Domain) error {
	switch part {
	case "description":
		return dom.SetMetadata(libvirt.DOMAIN_METADATA_DESCRIPTION, want.Description, "", "", libvirt.DOMAIN_AFFECT_LIVE)
	case "memory":
		// The memory itself could not rise above what the sandbox started with.
		limit := libvirt.DomainMemoryParameters{HardLimitSet: true, HardLimit: uint64(want.Memory.Value)}
		return dom.SetMemoryParameters(&limit, libvirt.DOMAIN_AFFECT_LIVE)
	case "blkiotune":
		weight := libvirt.DomainBlkioParameters{WeightSet: true, Weight: want.BlockIOTune.Weight}
		return dom.SetBlkioParameters(&weight, libvirt.DOMAIN_AFFECT_LIVE)
	case "cputune":
		return dom.SetSchedulerParametersFlags(schedule(want), libvirt.DOMAIN_AFFECT_LIVE)
	}
	return fmt.Errorf("sbx does not know how")
}

// schedule is what the domain says of its processor time.
func schedule(want *libvirtxml.Domain) *libvirt.DomainSchedulerParameters {
	p, t := new(libvirt.DomainSchedulerParameters), want.CPUTune
	if t.Shares != nil {
		p.CpuSharesSet, p.CpuShares = true, uint64(t.Shares.Value)
	}
	if t.Period != nil {
		p.VcpuPeriodSet, p.VcpuPeriod = true, t.Period.Value
	}
	if t.Quota != nil {
		p.VcpuQuotaSet, p.VcpuQuota = true, t.Quota.Value
	}
	if t.GlobalPeriod != nil {
		p.GlobalPeriodSet, p.GlobalPeriod = true, t.GlobalPeriod.Value
	}
	if t.GlobalQuota != nil {
		p.GlobalQuotaSet, p.GlobalQuota = true, t.GlobalQuota.Value
	}
	return p
}
