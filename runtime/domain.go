package runtime

import (
	"fmt"

	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler"
)

// describe reads a domain's XML.
func describe(dom *libvirt.Domain, flags libvirt.DomainXMLFlags) (*libvirtxml.Domain, error) {
	text, err := dom.GetXMLDesc(flags)
	if err != nil {
		return nil, err
	}
	d := new(libvirtxml.Domain)
	if err := d.Unmarshal(text); err != nil {
		return nil, fmt.Errorf("libvirt's domain XML cannot be read: %w", err)
	}
	return d, nil
}

// lookup finds a domain; nil when there is none.
func lookup(conn *libvirt.Connect, name string) (*libvirt.Domain, error) {
	dom, err := conn.LookupDomainByName(name)
	if errorCode(err) == libvirt.ERR_NO_DOMAIN {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, plain(err))
	}
	return dom, nil
}

// metadata reads what sbx keeps in a domain; nil for a domain that sbx did not
// make.
func metadata(dom *libvirt.Domain) (*compiler.Metadata, error) {
	text, err := dom.GetMetadata(libvirt.DOMAIN_METADATA_ELEMENT, compiler.MetadataURI, libvirt.DOMAIN_AFFECT_CURRENT)
	if errorCode(err) == libvirt.ERR_NO_DOMAIN_METADATA {
		return nil, nil
	}
	if err != nil {
		return nil, plain(err)
	}
	return compiler.DecodeMetadata(text)
}

// lookupOwn finds a domain that sbx made; nil when there is none. A domain of
// the name that sbx did not make is an error.
func lookupOwn(conn *libvirt.Connect, name string) (*libvirt.Domain, *compiler.Metadata, error) {
	dom, err := lookup(conn, name)
	if dom == nil || err != nil {
		return nil, nil, err
	}
	m, err := metadata(dom)
	if err != nil {
		dom.Free()
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	if m == nil {
		dom.Free()
		return nil, nil, &foreignError{"domain", name, "rename the profile, or remove the domain with virsh undefine"}
	}
	return dom, m, nil
}

// isActive says whether the domain runs; a transient one that has ended is gone.
func isActive(dom *libvirt.Domain) (bool, error) {
	active, err := dom.IsActive()
	if errorCode(err) == libvirt.ERR_NO_DOMAIN {
		return false, nil
	}
	return active, plain(err)
}

// stop ends a running domain at once.
func stop(dom *libvirt.Domain) error {
	err := dom.Destroy()
	switch errorCode(err) {
	case libvirt.ERR_OPERATION_INVALID, libvirt.ERR_NO_DOMAIN: // it is not running; a transient one is no more
		return nil
	}
	return plain(err)
}
