package kvm

import (
	"strings"
	"testing"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/runtime/internal/bound"
)

// A machine in which no kernel boots is told of before it is waited for.
func TestTooLittleMemoryIsToldOf(t *testing.T) {
	for kib, want := range map[uint]string{64 << 10: "has 64 MiB", leastMemory - 1: "has 95 MiB", leastMemory: "", 512 << 10: ""} {
		said := ""
		tellOfMemory(&bound.Sandbox{
			Domain: &libvirtxml.Domain{Memory: &libvirtxml.DomainMemory{Value: kib, Unit: "KiB"}},
			Log:    func(line string) { said += line },
		})
		if !strings.Contains(said, want) || want == "" && said != "" {
			t.Errorf("%d KiB: %q", kib, said)
		}
	}
}
