// Package drivers is the connections to libvirt's drivers, one for each kind of sandboxes.
package drivers
