package virt

import (
	"errors"
	"fmt"

	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler"
)

// Describe reads a domain's XML.
func Describe(dom *libvirt.Domain, flags libvirt.DomainXMLFlags) (*libvirtxml.Domain, error) {
	text, err := dom.GetXMLDesc(flags)
	if err != nil {
		return nil, err
	}
	return parse(text)
}

func parse(text string) (*libvirtxml.Domain, error) {
	d := new(libvirtxml.Domain)
	if err := d.Unmarshal(text); err != nil {
		return nil, fmt.Errorf("libvirt's domain XML cannot be read: %w", err)
	}
	return d, nil
}

// IsGone says whether the error is that the domain is no more. A domain may go
// between any two questions: another process removes it, and a transient one goes
// with its end. What is asked of one that is gone has the answer of one that was
// never there.
func IsGone(err error) bool { return ErrorCode(err) == libvirt.ERR_NO_DOMAIN }

// Lookup finds a domain; nil when there is none.
func Lookup(conn *libvirt.Connect, name string) (*libvirt.Domain, error) {
	dom, err := conn.LookupDomainByName(name)
	if IsGone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, Plain(err))
	}
	return dom, nil
}

// Metadata reads what sbx keeps in a domain; nil for a domain that sbx did not
// make.
func Metadata(dom *libvirt.Domain) (*compiler.Metadata, error) {
	text, err := dom.GetMetadata(libvirt.DOMAIN_METADATA_ELEMENT, compiler.MetadataURI, libvirt.DOMAIN_AFFECT_CURRENT)
	if ErrorCode(err) == libvirt.ERR_NO_DOMAIN_METADATA {
		return nil, nil
	}
	if err != nil {
		return nil, Plain(err)
	}
	return compiler.DecodeMetadata(text)
}

// LookupOwn finds a domain that sbx made; nil when there is none. A domain of
// the name that sbx did not make is an error.
func LookupOwn(conn *libvirt.Connect, name string) (*libvirt.Domain, *compiler.Metadata, error) {
	dom, err := Lookup(conn, name)
	if dom == nil || err != nil {
		return nil, nil, err
	}
	m, err := Metadata(dom)
	if m != nil && err == nil {
		return dom, m, nil
	}
	dom.Free()
	switch {
	case IsGone(err):
		return nil, nil, nil
	case err != nil:
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	return nil, nil, &foreignError{"domain", name, "rename the profile, or remove the domain with virsh undefine"}
}

// IsPersistent says whether the domain stays when it ends.
func IsPersistent(dom *libvirt.Domain) (bool, error) {
	persistent, err := dom.IsPersistent()
	if IsGone(err) {
		return false, nil
	}
	return persistent, Plain(err)
}

// IsActive says whether the domain runs; a transient one that has ended is gone.
func IsActive(dom *libvirt.Domain) (bool, error) {
	active, err := dom.IsActive()
	if IsGone(err) {
		return false, nil
	}
	return active, Plain(err)
}

// Stop ends a running domain at once.
func Stop(dom *libvirt.Domain) error {
	err := dom.Destroy()
	switch ErrorCode(err) {
	case libvirt.ERR_OPERATION_INVALID, libvirt.ERR_NO_DOMAIN: // it is not running; a transient one is no more
		return nil
	}
	return Plain(err)
}

// OwnName is the name of a domain that sbx made; empty for any other, and for
// one that is gone meanwhile.
func OwnName(dom *libvirt.Domain) (string, error) {
	m, err := Metadata(dom)
	if IsGone(err) || m == nil && err == nil {
		return "", nil
	}
	name, nameErr := dom.GetName()
	return name, errors.Join(err, Plain(nameErr))
}
