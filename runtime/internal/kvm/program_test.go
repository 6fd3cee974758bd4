package kvm

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler"
	libvirtdomain "github.com/sbx-dev/sbx/compiler/libvirt/domain"
	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/arch"
	"github.com/sbx-dev/sbx/internal/stage"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/qemu"
	"github.com/sbx-dev/sbx/schema/diag"
)

// programFor is the beginning of a program for an ELF machine.
func programFor(machine uint16) string {
	head := make([]byte, 64)
	copy(head, "\x7fELF\x02\x01\x01")
	binary.LittleEndian.PutUint16(head[18:], machine)
	return string(head)
}

// The command of a machine is not a program of the host's own architecture, by
// whatever links and scripts it gets there.
func TestAMachineGetsProgramsOfItsOwnArchitecture(t *testing.T) {
	const x86, i386, arm, riscv = 62, 3, 183, 243
	usr := t.TempDir()
	for name, content := range map[string]string{
		"bin/x86": programFor(x86), "bin/i386": programFor(i386), "bin/arm": programFor(arm), "bin/riscv": programFor(riscv),
		"bin/script-x86": "#! /bin/x86 -e\n", "bin/script-arm": "#!/usr/bin/arm\n", "bin/script-of-nothing": "#!/nowhere\n", "bin/text": "text",
		"sbin/tool": programFor(x86),
	} {
		at := filepath.Join(usr, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, leads := range map[string]string{
		"bin/link": "x86", "bin/far": "/etc/alternatives/far", "bin/up": "../sbin/tool", "bin/round": "round", "more": "sbin", "bin/out": "/proc/self/exe",
	} {
		if err := os.Symlink(leads, filepath.Join(usr, name)); err != nil {
			t.Fatal(err)
		}
	}
	etc := t.TempDir()
	if err := os.MkdirAll(filepath.Join(etc, "alternatives"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/usr/bin/x86", filepath.Join(etc, "alternatives/far")); err != nil {
		t.Fatal(err)
	}
	s := &bound.Sandbox{
		Manifest: &manifest.Manifest{
			Root:   []manifest.Node{{Path: "/bin", Kind: manifest.Link, Link: "usr/bin"}},
			Mounts: []manifest.Mount{{Kind: manifest.Export, Target: "/usr", Source: usr}, {Kind: manifest.Export, Target: "/etc", Source: etc}, {Kind: manifest.Tmpfs, Target: "/tmp"}},
		},
		Host: map[string]*stage.Source{},
	}
	for _, m := range s.Manifest.Mounts[:2] {
		source, err := stage.Open(m.Source)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(source.Close)
		s.Host[m.Target] = source
	}
	for _, c := range []struct {
		arch, command, workdir string
		refused                string // a part of the error
	}{
		{arch.ARM, "/usr/bin/arm", "/", ""},
		{arch.ARM, "/usr/bin/x86", "/", "its command /usr/bin/x86 is the host's " + usr + "/bin/x86, a program for x86_64, and the machine is aarch64"},
		{arch.X86, "/usr/bin/x86", "/", ""},
		{arch.X86, "/usr/bin/i386", "/", ""},
		{arch.X86, "/usr/bin/arm", "/", "for aarch64, and the machine is x86_64"},
		{arch.ARM, "/usr/bin/riscv", "/", ""}, // known to nobody here: the machine says what it is
		{arch.ARM, "/bin/x86", "/", "x86_64"},
		{arch.ARM, "/bin/link", "/", "x86_64"},
		{arch.ARM, "/bin/far", "/", "x86_64"},
		{arch.ARM, "/bin/up", "/", usr + "/sbin/tool"},
		{arch.ARM, "/usr/more/tool", "/", usr + "/sbin/tool"},
		{arch.ARM, "x86", "/", "x86_64"}, // on the PATH
		{arch.ARM, "./x86", "/usr/bin", "x86_64"},
		{arch.ARM, "/bin/script-x86", "/", "its command /bin/x86"},
		{arch.ARM, "/bin/script-arm", "/", ""},
		{arch.ARM, "/bin/script-of-nothing", "/", ""},
		{arch.ARM, "/bin/text", "/", ""},
		{arch.ARM, "/bin/round", "/", ""},
		{arch.ARM, "/bin/out", "/", ""}, // the machine's own /proc
		{arch.ARM, "/bin", "/", ""},
		{arch.ARM, "/nowhere", "/", ""},
		{arch.ARM, "/tmp/x", "/", ""},
		{arch.ARM, "", "/", ""},
	} {
		s.Arch, _ = arch.Named(c.arch)
		s.Command = channel.Command{Argv: []string{c.command}, Env: []string{"PATH=/sbin:/bin"}, Workdir: c.workdir}
		err := checkProgram(s)
		switch {
		case c.refused == "" && err != nil:
			t.Errorf("%s %q: %v", c.arch, c.command, err)
		case c.refused != "" && (err == nil || fault.Code(err) != diag.OtherArch || !strings.Contains(err.Error(), c.refused)):
			t.Errorf("%s %q: %v, want an error with %q", c.arch, c.command, err, c.refused)
		}
	}
}

// Nobody gets emulation of another architecture unasked.
func TestAnotherArchitectureIsEmulatedWhereThatIsAskedFor(t *testing.T) {
	host, err := arch.Host()
	if err != nil {
		t.Fatal(err)
	}
	other, _ := arch.Named(map[string]string{arch.X86: arch.ARM, arch.ARM: arch.X86}[host.Name])
	for _, c := range []struct {
		option, wanted string
		emulated       bool
	}{
		{"", "require", false}, {"", "prefer", true}, {qemu.AccelTCG, "require", true}, {qemu.AccelTCG, "prefer", true}, {qemu.AccelKVM, "require", false}, {qemu.AccelKVM, "prefer", false},
	} {
		said := ""
		s := &bound.Sandbox{
			Arch:     other,
			Metadata: &compiler.Metadata{Machine: &libvirtdomain.MachineMetadata{Accel: c.wanted}},
			Log:      func(line string) { said += line },
		}
		got, err := chooseAccel(s, c.option)
		switch {
		case c.emulated && (err != nil || got != qemu.AccelTCG || !strings.Contains(said, "many times slower")):
			t.Errorf("%q %s: %q, %v, and said %q", c.option, c.wanted, got, err, said)
		case !c.emulated && fault.Code(err) != diag.OtherArch:
			t.Errorf("%q %s: %q, %v", c.option, c.wanted, got, err)
		}
	}
}

// A processor that copies bytes one by one does not say that it does so fast.
func TestEmulatedX86(t *testing.T) {
	d := &libvirtxml.Domain{
		OS:       &libvirtxml.DomainOS{Type: &libvirtxml.DomainOSType{Arch: arch.X86}},
		Features: &libvirtxml.DomainFeatureList{},
		CPU:      &libvirtxml.DomainCPU{Mode: "maximum"},
	}
	emulate(d)
	want := []libvirtxml.DomainCPUFeature{{Policy: "disable", Name: "erms"}, {Policy: "disable", Name: "fsrm"}}
	if d.Type != "qemu" || d.CPU.Mode != "maximum" || !slices.Equal(d.CPU.Features, want) {
		t.Errorf("%+v %+v", d.Type, d.CPU)
	}
}

// A processor that emulates fast is for emulation alone.
func TestEmulatedAarch64(t *testing.T) {
	d := &libvirtxml.Domain{
		OS:       &libvirtxml.DomainOS{Type: &libvirtxml.DomainOSType{Arch: arch.ARM}},
		Features: &libvirtxml.DomainFeatureList{},
		CPU:      &libvirtxml.DomainCPU{Mode: "maximum"},
	}
	emulate(d)
	if d.Type != "qemu" || d.CPU.Mode != "custom" || d.Features.GIC == nil {
		t.Errorf("%+v %+v %+v", d.Type, d.CPU, d.Features)
	}
}
