// Package qemu says what this host has for QEMU: hardware virtualisation, and whom it
// runs as.
package qemu
