package virt

import (
	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/compiler"
)

// SetNotes writes sbx's metadata of a domain.
func SetNotes(dom *libvirt.Domain, text string, where libvirt.DomainModificationImpact) error {
	return Plain(dom.SetMetadata(libvirt.DOMAIN_METADATA_ELEMENT, text, "sbx", compiler.MetadataURI, where))
}

// WriteNotes writes sbx's metadata of a domain that does not run.
func WriteNotes(dom *libvirt.Domain, notes *compiler.Metadata) error {
	text, err := notes.Encode()
	if err != nil {
		return err
	}
	return SetNotes(dom, text, libvirt.DOMAIN_AFFECT_CONFIG)
}
