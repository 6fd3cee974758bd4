package virt

import (
	"strings"
	"testing"

	"libvirt.org/go/libvirt"
)

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

func TestADaemonThatIsNotThereIsNamed(t *testing.T) {
	for message, want := range map[string]string{
		"Failed to connect socket to '/var/run/libvirt/virtnwfilterd-sock': No such file or directory":   "systemctl enable --now virtnwfilterd.socket",
		"Failed to connect socket to '/var/run/libvirt/virtnetworkd-sock-ro': No such file or directory": "",
		"Failed to connect socket to '/var/run/libvirt/virtnetworkd-sock': Connection refused":           "systemctl enable --now virtnetworkd.socket",
		"Failed to connect socket to '/var/run/libvirt/libvirt-sock': No such file or directory":         "",
	} {
		got := Plain(libvirt.Error{Code: libvirt.ERR_SYSTEM_ERROR, Message: message}).Error()
		if !strings.HasPrefix(got, message) || !strings.Contains(got[len(message):], want) || (want == "") != (got == message) {
			t.Errorf("%q, want %q in it", got, want)
		}
	}
}
