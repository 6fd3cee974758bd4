package container

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"path"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler/identity"
	"github.com/sbx-dev/sbx/compiler/libvirt/domain"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/state"
)

// mount is how libvirt mounts a kind of mount, and what it lets its users do: files
// are run, mapped and locked also where they cannot be written.
type mount struct {
	filesystem func(sandbox string, m manifest.Mount) libvirtxml.DomainFilesystem
	access     func(manifest.Mount) string
}

const (
	written = "mrwklix"
	read    = "mrkix"
)

var mounts = map[string]mount{
	manifest.Export: {
		filesystem: func(_ string, m manifest.Mount) libvirtxml.DomainFilesystem {
			return domain.HostFilesystem(m.Source, m.Target, m.Writable)
		},
		access: exportAccess,
	},
	manifest.Inline: {
		filesystem: func(sandbox string, m manifest.Mount) libvirtxml.DomainFilesystem {
			return domain.HostFilesystem(InlineFile(path.Join(state.Default, sandbox, state.Files), m.Target), m.Target, false)
		},
		access: func(manifest.Mount) string { return read },
	},
	manifest.Tmpfs: {
		filesystem: func(_ string, m manifest.Mount) libvirtxml.DomainFilesystem { return ramFilesystem(m) },
		access:     func(manifest.Mount) string { return written },
	},
	manifest.Figures: { // only sbx shows them
		filesystem: func(sandbox string, m manifest.Mount) libvirtxml.DomainFilesystem {
			return domain.HostFilesystem(path.Join(state.Default, sandbox, state.Stage, state.Root, m.Target), m.Target, false)
		},
		access: func(manifest.Mount) string { return "r" },
	},
	manifest.Socket: { // only sbx keeps their folders
		filesystem: func(sandbox string, m manifest.Mount) libvirtxml.DomainFilesystem {
			return domain.HostFilesystem(path.Join(state.Default, state.Sockets, cmp.Or(m.From, sandbox), m.Source), m.Target, m.Writable)
		},
		access: socketAccess,
	},
}

func mountOf(m manifest.Mount) (mount, error) {
	how, ok := mounts[m.Kind]
	if !ok {
		return mount{}, fmt.Errorf("mounts.%q: a container has no mounts of the kind %q", m.Target, m.Kind)
	}
	return how, nil
}

func exportAccess(m manifest.Mount) string {
	switch {
	case m.Writable:
		return written
	case m.Sockets: // the mount keeps files from being written
		return "mrwkix"
	}
	return read
}

// socketAccess lets who makes the socket fill its folder, and who connects use what is
// there, which the mount keeps from being changed; nobody runs anything from it.
func socketAccess(m manifest.Mount) string {
	if m.Writable {
		return "rwkl"
	}
	return "rw"
}

// filesystems mounts the root, sbx's own folder and everything that the manifest
// names. A container's first process mounts nothing: it could not, and the walls are
// not its to build.
func filesystems(name string, all []manifest.Mount) ([]libvirtxml.DomainFilesystem, error) {
	list := []libvirtxml.DomainFilesystem{
		domain.HostFilesystem(path.Join(state.Default, name, state.Root), "/", false),
		domain.HostFilesystem(path.Join(state.Default, name, state.Own), "/.sbx", false),
		hiddenGroups(),
	}
	for _, m := range all {
		how, err := mountOf(m)
		if err != nil {
			return nil, err
		}
		list = append(list, how.filesystem(name, m))
	}
	return list, nil
}

// InlineFile is the host file in dir that holds the content of the inline mount
// at target.
func InlineFile(dir, target string) string {
	return path.Join(dir, hex.EncodeToString(identity.Hash("inline file", target))[:16])
}

// hiddenGroups covers the control groups that libvirt mounts inside. Under cgroup
// v2 it gives their files to the mapped root, who could then lift the sandbox's
// own limits (virCgroupV2SetOwner in libvirt's vircgroupv2.c).
func hiddenGroups() libvirtxml.DomainFilesystem {
	f := ramFilesystem(manifest.Mount{Target: "/sys/fs/cgroup", Size: 4096})
	f.ReadOnly = &libvirtxml.DomainFilesystemReadOnly{}
	return f
}

func ramFilesystem(m manifest.Mount) libvirtxml.DomainFilesystem {
	return libvirtxml.DomainFilesystem{
		AccessMode: "passthrough",
		Source:     &libvirtxml.DomainFilesystemSource{RAM: &libvirtxml.DomainFilesystemSourceRAM{Usage: uint(m.Size / 1024), Units: "KiB"}},
		Target:     &libvirtxml.DomainFilesystemTarget{Dir: m.Target},
	}
}
