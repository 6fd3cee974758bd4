package selinux

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"libvirt.org/go/libvirtxml"

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
