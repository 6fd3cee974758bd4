// Package kernelrules reads the rules that the kernel's firewall has of sandboxes, as
// against those that libvirt was told.
package kernelrules
