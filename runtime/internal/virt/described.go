package virt

import (
	"sync"

	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

// mostDescribed bounds the XML that is remembered, in bytes: of some thousand domains.
const mostDescribed = 16 << 20

// described are domains that have been read, by their XML.
var described struct {
	sync.Mutex
	size    int
	domains map[string]*libvirtxml.Domain
}

// Described is Describe for one who changes nothing of what it gives. The same XML is not
// read twice: whoever starts one of many sandboxes looks at all the others, and of that,
// reading takes the most.
func Described(dom *libvirt.Domain, flags libvirt.DomainXMLFlags) (*libvirtxml.Domain, error) {
	text, err := dom.GetXMLDesc(flags)
	if err != nil {
		return nil, err
	}
	described.Lock()
	defer described.Unlock()
	if d := described.domains[text]; d != nil {
		return d, nil
	}
	d, err := parse(text)
	if err != nil {
		return nil, err
	}
	if described.size += len(text); described.domains == nil || described.size > mostDescribed {
		described.size, described.domains = len(text), map[string]*libvirtxml.Domain{}
	}
	described.domains[text] = d
	return d, nil
}
