package selinux

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/mac"
	"github.com/sbx-dev/sbx/internal/stage"
)

// What lies in memory on a sandbox's stage has the sandbox's categories where it writes
// it, and none where it does not; without SELinux nothing is asked of the kernel.
func TestContextsOfAStage(t *testing.T) {
	dac := libvirtxml.DomainSecLabel{Type: "static", Model: "dac", Label: "+64055:+64055"}
	labelled := libvirtxml.DomainSecLabel{Type: "static", Model: model, Label: "system_u:system_r:sbx_container_t:s0:c1,c2"}
	for name, c := range map[string]struct {
		labels []libvirtxml.DomainSecLabel
		want   stage.Contexts
	}{
		"no SELinux": {[]libvirtxml.DomainSecLabel{dac}, stage.Contexts{}},
		"SELinux": {[]libvirtxml.DomainSecLabel{dac, labelled}, stage.Contexts{
			Own: "system_u:object_r:virt_content_t:s0", Written: "system_u:object_r:svirt_image_t:s0:c1,c2",
		}},
	} {
		if got := Contexts(&libvirtxml.Domain{SecLabel: c.labels}); got != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// libvirt mounts a container's /dev as what the host's policy says in a file; Debian 12's
// says what it does not know.
func TestWhatAPolicyDoesNotKnow(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"etc/selinux/config":                        "# SELINUXTYPE can be:\nSELINUX=enforcing\nSELINUXTYPE=default\n",
		"etc/selinux/default/contexts/lxc_contexts": "process = \"system_u:system_r:container_t:s0\"\nfile = \"system_u:object_r:container_file_t:s0\"\n",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	host := mac.Host(root)
	if got := UnknownOfContainers(host); got != "system_u:object_r:container_file_t:s0" {
		t.Errorf("%q", got)
	}
	if err := os.MkdirAll(filepath.Join(root, "sys/fs/selinux"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "sys/fs/selinux/context"), nil, 0o644); err != nil { // takes any
		t.Fatal(err)
	}
	if got := UnknownOfContainers(host); got != "" || !HasModule(host) {
		t.Errorf("%q is not known", got)
	}
}

// libvirt gives its label to the images that a machine writes, and to no other one.
func TestWhatIsReadKeepsItsLabel(t *testing.T) {
	file := func() *libvirtxml.DomainDiskSource {
		return &libvirtxml.DomainDiskSource{File: &libvirtxml.DomainDiskSourceFile{}}
	}
	d := &libvirtxml.Domain{Devices: &libvirtxml.DomainDeviceList{Disks: []libvirtxml.DomainDisk{
		{Source: file()}, {Source: file(), ReadOnly: &libvirtxml.DomainDiskReadOnly{}},
	}}}
	leaveImages(d)
	want := []libvirtxml.DomainDeviceSecLabel{{Model: "selinux", Relabel: "no"}}
	if written, read := d.Devices.Disks[0].Source.File.SecLabel, d.Devices.Disks[1].Source.File.SecLabel; written != nil || !slices.Equal(read, want) {
		t.Errorf("%+v, %+v", written, read)
	}
	leaveImages(&libvirtxml.Domain{})
}

// What is refused says what to do about it: an image no container can have, and what a
// sandbox is to write its host labels once it has the policy.
func TestWhatWouldLetItIn(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "folder")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	source, err := stage.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	const command, own = "system_u:system_r:svirt_t:s0:c1,c2", "system_u:system_r:sbx_x.process:s0:c1,c2"
	for _, c := range []struct {
		process   string
		mount     manifest.Mount
		want, not string
	}{
		{command, manifest.Mount{Kind: manifest.Image}, "-t virt_content_t '" + folder, "-b lxc"},
		{command, manifest.Mount{Kind: manifest.Export}, "-b lxc", "semanage"},
		{command, manifest.Mount{Kind: manifest.Export, Writable: true}, "-t svirt_image_t '" + folder + "(/.*)?'", "-b lxc"},
		{own, manifest.Mount{Kind: manifest.Image, Writable: true}, "--keep-failed, which has the policy stay; restorecon -RF " + folder, "secrets"},
		{own, manifest.Mount{Kind: manifest.Export, Writable: true}, "restorecon -RF " + folder, "secrets"},
		{own, manifest.Mount{Kind: manifest.Image}, "secrets of the host", "restorecon"},
	} {
		if got := mend(c.process, c.mount, source); !strings.Contains(got, c.want) || strings.Contains(got, c.not) {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// Of an image that it only reads libvirtd is asked, too, where no policy of the sandbox's
// own lets it look.
func TestWhoIsToReadAnImage(t *testing.T) {
	const command, own = "system_u:system_r:svirt_t:s0:c1,c2", "system_u:system_r:sbx_x.process:s0:c1,c2"
	for _, c := range []struct {
		process string
		mount   manifest.Mount
		want    []ask
	}{
		{command, manifest.Mount{Kind: manifest.Image}, []ask{{command, "read"}, {"system_u:system_r:virtd_t:s0", "read"}}},
		{command, manifest.Mount{Kind: manifest.Image, Writable: true}, []ask{{command, "read"}, {command, "write"}}},
		{command, manifest.Mount{Kind: manifest.Export}, []ask{{command, "read"}}},
		{own, manifest.Mount{Kind: manifest.Image}, []ask{{own, "read"}}},
	} {
		if got := asks(c.process, c.mount); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
