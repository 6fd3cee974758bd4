package arch_test

import (
	"debug/elf"
	"os"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/internal/arch"
)

// This very program is one that a machine of the host's architecture runs.
func TestHost(t *testing.T) {
	host, err := arch.Host()
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := elf.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	if !host.CanRun(program.Machine) || arch.OfELF(program.Machine) != host.Name {
		t.Errorf("%s does not run %v", host.Name, program.Machine)
	}
}

func TestNamed(t *testing.T) {
	for _, name := range []string{arch.X86, arch.ARM} {
		a, err := arch.Named(name)
		if err != nil || a.Name != name || arch.OfELF(a.Runs[0]) != name || a.QEMU() != "qemu-system-"+name {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
	if _, err := arch.Named("riscv64"); err == nil || !strings.Contains(err.Error(), "only of x86_64 and aarch64") {
		t.Errorf("riscv64: %v", err)
	}
	arm, _ := arch.Named(arch.ARM)
	if arm.CanRun(elf.EM_386) || !arm.CanRun(elf.EM_ARM) || arch.OfELF(elf.EM_386) != "" {
		t.Error("programs of 32 bits are not told apart")
	}
}
