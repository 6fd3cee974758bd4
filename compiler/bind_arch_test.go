package compiler_test

import (
	"testing"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/schema"
)

const anyMachine = `package any

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "any"
	backend: "kvm"
	run: argv: ["/bin/true"]
}
`

// A bundle of no architecture becomes on a host what one of that host's is.
func TestBindArch(t *testing.T) {
	domain := func(arch string) *libvirtxml.Domain {
		p := loadText(t, "any.cue", []byte(anyMachine))
		p.Machine = schema.Machine{Accel: "require", Arch: arch}
		d := new(libvirtxml.Domain)
		if err := d.Unmarshal(string(compile(t, p).File("domain.xml"))); err != nil {
			t.Fatal(err)
		}
		d.Metadata = nil
		return d
	}
	for _, arch := range []string{"x86_64", "aarch64"} {
		bound, named := domain(""), domain(arch)
		if bound.OS.Type.Arch != "" {
			t.Fatalf("compiled for %s before there is a host", bound.OS.Type.Arch)
		}
		for _, d := range []*libvirtxml.Domain{bound, named} {
			if err := compiler.BindArch(d, arch); err != nil {
				t.Fatal(err)
			}
		}
		x, _ := bound.Marshal()
		y, _ := named.Marshal()
		if x != y {
			t.Errorf("%s: bound it is\n%s\nand compiled\n%s", arch, x, y)
		}
	}
	for name, err := range map[string]error{
		"another one": compiler.BindArch(domain("aarch64"), "x86_64"),
		"unknown":     compiler.BindArch(domain(""), "riscv64"),
		"a container": compiler.BindArch(&libvirtxml.Domain{}, "x86_64"),
	} {
		if err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
