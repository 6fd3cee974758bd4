package virt

import "testing"

func TestWarningsOfQEMUAreLeftOut(t *testing.T) {
	for message, want := range map[string]string{
		"internal error: process exited: qemu-system-x86_64: -fsdev local,path=/etc,readonly: warning: short-form boolean option 'readonly' deprecated\n" +
			"Please use readonly=on instead\n" +
			"2026-01-01T00:00:00Z qemu-system-x86_64: cannot set up guest memory": "internal error: process exited: 2026-01-01T00:00:00Z qemu-system-x86_64: cannot set up guest memory",
		"Domain not found": "Domain not found",
	} {
		if got := withoutWarnings(message); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
