package compiler

import (
	"fmt"
	"slices"

	"github.com/sbx-dev/sbx/initramfs"
)

// writableCapabilities let root in a machine use writable host folders. Their
// files belong to the one host id that QEMU runs as, which inside is not root,
// so root needs leave to pass by their permissions. What the host lets that id
// do stays the wall.
var writableCapabilities = []string{"dac_override", "fowner"}

// fitMachine adds to a manifest what only a machine needs.
func fitMachine(m *initramfs.Manifest) {
	m.Modules = machineModules(m)
	isWritableExport := func(m initramfs.Mount) bool { return m.Kind == initramfs.Export && m.Writable }
	if slices.ContainsFunc(m.Mounts, isWritableExport) {
		all := slices.Sorted(slices.Values(append(writableCapabilities, m.Run.Capabilities...)))
		m.Run.Capabilities = slices.Compact(all)
	}
}

// machineModules lists the kernel modules that the machine's devices need, with
// the part of the profile that brings each in.
func machineModules(m *initramfs.Manifest) []initramfs.Module {
	var list []initramfs.Module
	add := func(why string, names ...string) { list = addModules(list, why, names...) }
	add("every machine", "virtio_pci", "virtio_console", "virtio_rng")
	for _, mount := range m.Mounts {
		switch mount.Kind {
		case initramfs.Export:
			add("the host path "+mount.Source, "9pnet_virtio", "9p")
		case initramfs.Image:
			why := fmt.Sprintf("mounts.%q.image", mount.Target)
			add(why, "virtio_blk")
			add(why, initramfs.ImageFileSystems...)
		}
	}
	if len(m.Interfaces) > 0 {
		add("network", "virtio_net")
	}
	return list
}

// addModules adds those that are not on the list yet.
func addModules(list []initramfs.Module, why string, names ...string) []initramfs.Module {
	for _, name := range names {
		if !slices.ContainsFunc(list, func(m initramfs.Module) bool { return m.Name == name }) {
			list = append(list, initramfs.Module{Name: name, For: why})
		}
	}
	return list
}
