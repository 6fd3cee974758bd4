// Package compiler lowers a profile to a bundle: libvirt domain XML, nwfilter
// rules, network XML and the manifest of the guest's first process. It is pure:
// it looks at nothing but the profile, so the same profile gives the same bytes
// on every machine.
package compiler
