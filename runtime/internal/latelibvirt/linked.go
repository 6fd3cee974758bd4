//go:build !libvirt_dlopen

package latelibvirt

// Missing is nil: the library is linked, and a program without it does not start.
func Missing() error { return nil }
