package kernelrules

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// learnLimit is how long libvirt may take to begin with the rules of an address
// that DHCP has given. Once it has begun it is waited for like a first process: each
// rule of a profile is some five programs that it runs.
const learnLimit = 30 * time.Second

// The first pause between looks for an address, and the last.
const (
	firstLook = 20 * time.Millisecond
	lastLook  = 800 * time.Millisecond
)

// leaseRecord is where libvirt's filter driver notes the leases that it has read.
const leaseRecord = "/run/libvirt/network/nwfilter.leases"

// WaitForLeases waits until the filters of the interfaces that get their addresses
// by DHCP let pass what their rules say. libvirt reads the lease on its way to the
// sandbox, which has it first, and until its rules are there lets only DHCP pass. limit
// is how long it may take in all.
func WaitForLeases(ctx context.Context, limit time.Duration, d *libvirtxml.Domain, client *channel.Client) error {
	nics := learning(d)
	if len(nics) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("libvirt has not come to an end with it within %v", limit))
	defer cancel()
	status, err := client.Status(ctx)
	if err != nil {
		return err
	}
	for _, nic := range nics {
		if err := waitForFilter(ctx, nic, status.Leases); err != nil {
			return err
		}
	}
	return nil
}

// Stand says whether libvirt has made all rules of a domain's interfaces when that has
// started; without an interface behind a filter there are none.
func Stand(d *libvirtxml.Domain) bool {
	behind := func(i libvirtxml.DomainInterface) bool { return i.FilterRef != nil }
	return d.Devices != nil && slices.ContainsFunc(d.Devices.Interfaces, behind) && len(learning(d)) == 0
}

// learningNIC is an interface whose filter learns the address.
type learningNIC struct {
	device string // its end on the host
	mac    string
}

func learning(d *libvirtxml.Domain) (nics []learningNIC) {
	if d.Devices == nil {
		return nil
	}
	for _, i := range d.Devices.Interfaces {
		if i.FilterRef == nil || i.Target == nil || i.MAC == nil {
			continue
		}
		if slices.Contains(i.FilterRef.Parameters, libvirtxml.DomainInterfaceFilterParam{Name: "CTRL_IP_LEARNING", Value: "dhcp"}) {
			nics = append(nics, learningNIC{i.Target.Dev, strings.ToLower(i.MAC.Address)})
		}
	}
	return nics
}

func waitForFilter(ctx context.Context, nic learningNIC, addresses []string) error {
	deadline, pause := time.Now().Add(learnLimit), firstLook
	for {
		late := time.Now().After(deadline)
		if late || nic.noted(addresses) {
			knows, begun, err := nic.learned(addresses)
			switch {
			case knows || err != nil:
				return err
			case late && !begun:
				return fault.New(diag.Start, "DHCP has given it %s, and libvirt's filter on its interface %s has not learned that within %v, so that nothing but DHCP passes there: try again, and look for nwfilter in libvirtd's log if that does not help", strings.Join(addresses, ", "), nic.device, learnLimit)
			case late:
				deadline = time.Now().Add(learnLimit)
			}
			pause = min(2*pause, lastLook)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the filter of its interface %s is not made for the address that DHCP gave: %w", nic.device, context.Cause(ctx))
		case <-time.After(pause):
		}
	}
}

// noted says whether libvirt's own record has one of the addresses for the interface:
// it writes that when the rules are made (virNWFilterSnoopReqLeaseAdd in
// nwfilter_dhcpsnoop.c). To list the rules instead, time and again, would have
// libvirt's commands fail that make them. A record of an earlier start may say so too
// early, so that it is not the last word.
func (c learningNIC) noted(addresses []string) bool {
	text, err := os.ReadFile(leaseRecord)
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line) // when it ends, the domain's UUID and the MAC address, the address, the server
		if len(f) > 2 && strings.HasSuffix(f[1], "-"+c.mac) && slices.Contains(addresses, f[2]) {
			return true
		}
	}
	return false
}

// learned says whether the rules for one of the addresses are in force, and whether
// libvirt has begun to make any. It makes all of an interface's rules under names of
// their own, ebtables' first, and in the end gives them their names, ebtables' last
// (ebiptablesApplyNewRules and ebiptablesTearOldRules in nwfilter_ebiptables_driver.c).
func (c learningNIC) learned(addresses []string) (knows, begun bool, err error) {
	text, err := List(Frame)
	if err != nil {
		return false, false, fmt.Errorf("cannot read the firewall's rules: %s: %w", strings.Join(Frame, " "), err)
	}
	for _, line := range RuleLines(Frame[0], text) {
		fields := strings.Fields(line) // the table, the chain, the rule
		switch fields[1] {
		case "libvirt-J-" + c.device, "libvirt-P-" + c.device:
			begun = true
		case "libvirt-I-" + c.device, "libvirt-O-" + c.device:
			knows = knows || slices.ContainsFunc(addresses, func(a string) bool { return slices.Contains(fields, a) })
		}
	}
	return knows, begun, nil
}
