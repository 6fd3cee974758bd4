package plan

import "fmt"

// domainRules are for libvirt's domain format. What is filled in was read off
// what libvirt 9.0's LXC and QEMU drivers make of the domains that sbx defines.
var domainRules = rules{
	filled: []string{
		"@id", "currentMemory", "resource", "seclabel", "vcpu@placement",
		"os type@arch",
		"devices emulator",
		"devices interface source@portid", "devices interface source@bridge",
		"devices console@tty", "devices console source", "devices console alias", "devices console target@port",
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
		"idmap uid":                             {"@start"},
		"idmap gid":                             {"@start"},
	},
}

// Domain compares a domain's definition, as libvirt gives it, with the desired
// one. sbx's own metadata is not compared.
func Domain(desired, defined string) ([]Difference, error) {
	want, have, err := parseBoth(desired, defined)
	if err != nil {
		return nil, err
	}
	return compareDomains(want, have), nil
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
	return compareDomains(want, have), nil
}

func compareDomains(want, have *element) []Difference {
	want.remove("metadata")
	have.remove("metadata")
	c := &comparison{rules: domainRules}
	c.elements("", "", want, have)
	return c.found
}

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
