// Package arch knows the architectures that machines can have, and what each is
// called by those who have other names for it.
package arch

import (
	"debug/elf"
	"fmt"
	"runtime"
	"slices"
	"strings"
)

// Arch is an architecture.
type Arch struct {
	Name string // the kernel's, libvirt's and QEMU's
	Go   string // Go's GOARCH, which is also Debian's name

	// Runs are the programs that a kernel of it can run, its own first.
	Runs []elf.Machine

	// Emulator is the Debian package with QEMU's emulator.
	Emulator string
}

// The names of the architectures.
const (
	X86 = "x86_64"
	ARM = "aarch64"
)

var all = []Arch{
	{Name: X86, Go: "amd64", Runs: []elf.Machine{elf.EM_X86_64, elf.EM_386}, Emulator: "qemu-system-x86"},
	{Name: ARM, Go: "arm64", Runs: []elf.Machine{elf.EM_AARCH64, elf.EM_ARM}, Emulator: "qemu-system-arm"},
}

// Named finds an architecture by its Name.
func Named(name string) (Arch, error) {
	return find("machine.arch", name, func(a Arch) string { return a.Name })
}

// Host is that of this host.
func Host() (Arch, error) {
	return find("this host", runtime.GOARCH, func(a Arch) string { return a.Go })
}

func find(what, name string, of func(Arch) string) (Arch, error) {
	var known []string
	for _, a := range all {
		if of(a) == name {
			return a, nil
		}
		known = append(known, of(a))
	}
	return Arch{}, fmt.Errorf("%s: sbx has no machines of the architecture %q, only of %s", what, name, strings.Join(known, " and "))
}

// OfELF names the architecture that a program or kernel is made for, "" for one
// that is not known here.
func OfELF(machine elf.Machine) string {
	for _, a := range all {
		if a.Runs[0] == machine {
			return a.Name
		}
	}
	return ""
}

// CanRun says whether a kernel of the architecture can run the program.
func (a Arch) CanRun(machine elf.Machine) bool { return slices.Contains(a.Runs, machine) }

// QEMU is the name of QEMU's emulator.
func (a Arch) QEMU() string { return "qemu-system-" + a.Name }

// KernelPackage is Debian's package with its kernel.
func (a Arch) KernelPackage() string { return "linux-image-" + a.Go }
