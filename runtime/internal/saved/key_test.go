package saved

import (
	"testing"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// machine is one of a name, as sbx run makes it.
func machine(name string) (*libvirtxml.Domain, *manifest.Manifest) {
	d := &libvirtxml.Domain{
		Name: name, UUID: "uuid of " + name, Type: "qemu",
		Memory:   &libvirtxml.DomainMemory{Value: 64, Unit: "MiB"},
		OS:       &libvirtxml.DomainOS{Kernel: "/state/" + name + "/kernel", Initrd: "/state/" + name + "/initrd"},
		SecLabel: []libvirtxml.DomainSecLabel{{Model: "dac", Label: "+" + name}},
		Devices: &libvirtxml.DomainDeviceList{
			Filesystems: []libvirtxml.DomainFilesystem{{
				Source: &libvirtxml.DomainFilesystemSource{Mount: &libvirtxml.DomainFilesystemSourceMount{Dir: "/state/" + name + "/export0"}},
				Target: &libvirtxml.DomainFilesystemTarget{Dir: "export0"},
			}},
			Channels: []libvirtxml.DomainChannel{{
				Source: &libvirtxml.DomainChardevSource{UNIX: &libvirtxml.DomainChardevSourceUNIX{Path: "/state/" + name + "/channel"}},
				Target: &libvirtxml.DomainChannelTarget{VirtIO: &libvirtxml.DomainChannelTargetVirtIO{Name: manifest.PortName}},
			}},
		},
	}
	m := &manifest.Manifest{
		Version: manifest.Version, Name: name, Hostname: name,
		Mounts: []manifest.Mount{
			{Kind: manifest.Export, Tag: "export0", Source: "/usr", Target: "/usr"},
			{Kind: manifest.Inline, Target: "/etc/hosts", Content: "127.0.1.1 " + name},
		},
		Run: manifest.Run{Argv: []string{"/bin/" + name}, Env: []string{"NAME=" + name}, Workdir: "/" + name},
	}
	return d, m
}

// Machines of one kind have one key, whatever they are called and run; those that differ
// to their guests, in their walls or in what they were made from have another one each.
func TestKey(t *testing.T) {
	key := func(name string, change func(*libvirtxml.Domain, *manifest.Manifest), parts ...string) string {
		t.Helper()
		d, m := machine(name)
		change(d, m)
		got, err := Key(d, m, parts...)
		if err != nil {
			t.Fatal(err)
		}
		if d.Name != name || m.Name != name || m.Mounts[1].Content == "" || len(d.SecLabel) == 0 {
			t.Fatal("it has changed what it was asked of")
		}
		return got
	}
	same := func(*libvirtxml.Domain, *manifest.Manifest) {}
	one := key("one", same, "kernel", "initrd")
	if key("two", same, "kernel", "initrd") != one {
		t.Error("the name tells two of one kind apart")
	}
	seen := map[string]string{one: "the first"}
	for what, other := range map[string]string{
		"memory":           key("two", func(d *libvirtxml.Domain, _ *manifest.Manifest) { d.Memory.Value = 65 }, "kernel", "initrd"),
		"the accelerator":  key("two", func(d *libvirtxml.Domain, _ *manifest.Manifest) { d.Type = "kvm" }, "kernel", "initrd"),
		"an export":        key("two", func(d *libvirtxml.Domain, _ *manifest.Manifest) { d.Devices.Filesystems[0].Target.Dir = "export1" }, "kernel", "initrd"),
		"what is exposed":  key("two", func(_ *libvirtxml.Domain, m *manifest.Manifest) { m.Mounts[0].Source = "/opt" }, "kernel", "initrd"),
		"what is writable": key("two", func(_ *libvirtxml.Domain, m *manifest.Manifest) { m.Mounts[0].Writable = true }, "kernel", "initrd"),
		"the user":         key("two", func(_ *libvirtxml.Domain, m *manifest.Manifest) { m.Run.User = "www-data" }, "kernel", "initrd"),
		"another kernel":   key("two", same, "kernel of today", "initrd"),
		"another initrd":   key("two", same, "kernel", "initrd of today"),
		"parts cut apart":  key("two", same, "kernelinitrd"),
	} {
		if first, there := seen[other]; there {
			t.Errorf("%s and %s have one key", what, first)
		}
		seen[other] = what
	}
}
