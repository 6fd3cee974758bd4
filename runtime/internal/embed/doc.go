// Package embed is libvirt's QEMU driver within this very process, for who has no
// libvirtd.
package embed
