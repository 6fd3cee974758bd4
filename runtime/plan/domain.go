package plan

import (
	"fmt"
	"slices"

	"github.com/sbx-dev/sbx/internal/pattern"
)

// domainRules are for libvirt's domain format. What is filled in was read off
// what libvirt 9.0's LXC and QEMU drivers make of the domains that sbx defines.
var domainRules = rules{
	filled: []string{
		"@id", "currentMemory", "resource", "vcpu@placement",
		"os type@arch", "features gic", "cpu@check", "cpu@migratable",
		"devices emulator",
		"devices interface source@portid", "devices interface source@bridge",
		"devices console@tty", "devices console source", "devices console target@port",
		"devices channel address", "devices channel target@state",
	},
	filledAs: map[string][]string{
		"os boot":       {"dev=hd"},
		"devices audio": {"id=1, type=none"},
		"devices input": {"bus=ps2, type=mouse", "bus=ps2, type=keyboard"},
		"devices controller": {
			"index=0, model=pcie-root, type=pci",
			"index=0, type=sata, address bus=0x00, domain=0x0000, function=0x2, slot=0x1f, type=pci",
		},
	},
	keys: map[string][]string{
		"devices filesystem":                    {"target@dir"},
		"devices interface":                     {"target@dev"},
		"devices interface ip":                  {"@address"},
		"devices interface route":               {"@family", "@address", "@prefix"},
		"devices interface filterref parameter": {"@name"},
		"devices disk":                          {"target@dev"},
		"devices channel":                       {"target@name"},
		"devices controller":                    {"@type", "@index"},
		"seclabel":                              {"@model"},
		"idmap uid":                             {"@start"},
		"idmap gid":                             {"@start"},
	},
}

// runningRules are for what runs, to which libvirt gives security labels.
var runningRules = rules{
	filled:   append(slices.Clip(domainRules.filled), "seclabel", "seclabel imagelabel"),
	filledAs: domainRules.filledAs,
	keys:     domainRules.keys,
}

// Domain compares a domain's definition, as libvirt gives it, with the desired
// one. sbx's own metadata is not compared.
func Domain(desired, defined string) ([]Difference, error) {
	want, have, err := parseBoth(desired, defined)
	if err != nil {
		return nil, err
	}
	return compareDomains(domainRules, want, have), nil
}

// RunningDomain compares what runs with the desired domain. A memory limit that
// was changed since the start counts as the memory.
func RunningDomain(desired, running string) ([]Difference, error) {
	want, have, err := parseBoth(desired, running)
	if err != nil {
		return nil, err
	}
	settle(want)
	settle(have)
	return compareDomains(runningRules, want, have), nil
}

func compareDomains(r rules, want, have *element) []Difference {
	tidy(want)
	tidy(have)
	c := &comparison{rules: r}
	c.elements("", "", want, have)
	return c.found
}

// tidy writes what a desired domain and libvirt's write differently in one way.
func tidy(domain *element) {
	domain.remove("metadata")
	if tune := domain.child("cputune"); tune != nil && len(tune.children) == 0 {
		domain.remove("cputune")
	}
	if os := domain.child("os"); os != nil && os.child("type") != nil {
		kind := os.child("type").attributes
		kind["machine"] = machineVersion().ReplaceAllString(kind["machine"], "$1")
	}
	if devices := domain.child("devices"); devices != nil {
		for _, d := range devices.children {
			if d.name == "controller" && d.attributes["index"] == "" {
				d.attributes["index"] = "0"
			}
		}
	}
}

// machineVersion is the name by which QEMU knows the newest machine of a kind.
var machineVersion = pattern.Of(`^(?:pc-)?(q35|virt)-[0-9.]+$`)

// settle puts the limit that is in force in the place of the memory that the
// domain was started with. A container's number of processors is nothing but
// what its quota was derived from, and stays at what it was started with.
func settle(domain *element) {
	if domain.attributes["type"] == "lxc" {
		domain.remove("vcpu")
	}
	memory := domain.child("memory")
	if memory == nil {
		return
	}
	if now := domain.child("currentMemory"); now != nil {
		memory.text = now.text
	}
	tune := domain.child("memtune")
	if tune == nil {
		return
	}
	if limit := tune.child("hard_limit"); limit != nil {
		memory.text = limit.text
		tune.remove("hard_limit")
	}
	if len(tune.children) == 0 {
		domain.remove("memtune")
	}
}

func parseBoth(desired, live string) (want, have *element, err error) {
	if want, err = parse(desired); err != nil {
		return nil, nil, fmt.Errorf("desired: %w", err)
	}
	if have, err = parse(live); err != nil {
		return nil, nil, err
	}
	return want, have, nil
}
