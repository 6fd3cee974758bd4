// Package virt speaks libvirt's objects: domains, filters, networks with the names and
// leases on them, and bridges. What another maker made it neither changes nor removes,
// and libvirt's errors it makes fit for a person.
package virt
