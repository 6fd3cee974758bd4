package compiler

import "libvirt.org/go/libvirtxml"

// Preload has encoding/xml learn libvirtxml's types on another processor, which
// takes it a millisecond. A program that will compile may call it first, and do something
// else meanwhile.
func Preload() {
	go func() { _, _ = new(libvirtxml.Domain).Marshal() }()
	go func() { _, _ = new(libvirtxml.NWFilter).Marshal() }()
}
