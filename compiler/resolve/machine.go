package resolve

import (
	"slices"

	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// writableCapabilities let root in a machine use writable host folders. Their
// files belong to the one host id that QEMU runs as, which inside is not root,
// so root needs leave to pass by their permissions. What the host lets that id
// do stays the wall.
var writableCapabilities = []string{"dac_override", "fowner"}

// fitMachine adds to a manifest what only a machine needs.
func fitMachine(m *manifest.Manifest) (err error) {
	if m.Modules, err = machineModules(m); err != nil {
		return err
	}
	isWritableExport := func(m manifest.Mount) bool { return m.Kind == manifest.Export && m.Writable }
	if slices.ContainsFunc(m.Mounts, isWritableExport) {
		all := slices.Sorted(slices.Values(append(writableCapabilities, m.Run.Capabilities...)))
		m.Run.Capabilities = slices.Compact(all)
	}
	return nil
}

// machineModules lists the kernel modules that the machine's devices need, with
// the part of the profile that brings each in.
func machineModules(m *manifest.Manifest) ([]manifest.Module, error) {
	var list []manifest.Module
	add := func(why string, names ...string) { list = addModules(list, why, names...) }
	add("every machine", "virtio_pci", "virtio_console", "virtio_rng")
	for _, mount := range m.Mounts {
		k, err := kindOf(mount)
		if err != nil {
			return nil, err
		}
		if k.modules != nil {
			add(k.why(mount), k.modules...)
		}
	}
	if len(m.Interfaces) > 0 {
		add("network", "virtio_net")
	}
	return list, nil
}

// addModules adds those that are not on the list yet.
func addModules(list []manifest.Module, why string, names ...string) []manifest.Module {
	for _, name := range names {
		if !slices.ContainsFunc(list, func(m manifest.Module) bool { return m.Name == name }) {
			list = append(list, manifest.Module{Name: name, For: why})
		}
	}
	return list
}
