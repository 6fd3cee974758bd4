package plan

// networkRules are for libvirt's network format.
var networkRules = rules{
	filled: []string{"@connections", "forward nat port"},
	keys:   map[string][]string{"ip": {"@family", "@address"}, "ip dhcp range": {"@start"}},
}

// Network compares a network, as libvirt gives it, with the desired one.
func Network(desired, live string) ([]Difference, error) {
	want, have, err := parseBoth(desired, live)
	if err != nil {
		return nil, err
	}
	tidyNetwork(want)
	tidyNetwork(have)
	c := &comparison{rules: networkRules}
	c.elements("", "", want, have)
	return c.found, nil
}

// tidyNetwork removes sbx's metadata, and the records of the name server, which
// each sandbox on the network adds and removes for itself.
func tidyNetwork(network *element) {
	network.remove("metadata")
	dns := network.child("dns")
	if dns == nil {
		return
	}
	dns.remove("host")
	if len(dns.children)+len(dns.attributes) == 0 {
		network.remove("dns")
	}
}
