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

func TestTheEchoOfNftIsLeftOut(t *testing.T) {
	for message, want := range map[string]string{
		"Failed to apply firewall command 'nft -ae insert rule ip libvirt_network c iif x counter reject': Error: Could not process rule: No such file or directory\n" +
			"insert rule ip libvirt_network c iif x counter reject\n" +
			"               ^^^^^^^^^^^^^^^\n": "Failed to apply firewall command 'nft -ae insert rule ip libvirt_network c iif x counter reject': Error: Could not process rule: No such file or directory",
		"Error: syntax error\nadd x\n    ^\nError: another\nadd y\n~~  ^": "Error: syntax error\nError: another",
		"^^^":                      "^^^",
		"no such regexp: ^a$\n^b$": "no such regexp: ^a$\n^b$",
	} {
		if got := withoutEcho(withoutWarnings(message)); got != want {
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

func TestMissingChainsAreTold(t *testing.T) {
	for message, want := range map[string]bool{
		"internal error: Failed to apply firewall rules /usr/sbin/iptables -w --table filter --insert LIBVIRT_INP --jump ACCEPT: iptables: No chain/target/match by that name.":   true,
		"internal error: Failed to apply firewall rules iptables -w --table filter --insert LIBVIRT_INP: iptables v1.8.9 (nf_tables): Chain 'LIBVIRT_INP' does not exist":         true,
		"internal error: Failed to apply firewall command 'nft -ae insert rule ip libvirt_network guest_output': Error: Could not process rule: No such file or directory":        true,
		"internal error: Failed to apply firewall rules /usr/sbin/iptables -w --table filter --insert LIBVIRT_INP --jump ACCEPT: iptables: Permission denied (you must be root).": false,
		"error creating bridge interface virbr0: No such file or directory":                                                                                                       false,
	} {
		got := Plain(libvirt.Error{Code: libvirt.ERR_INTERNAL_ERROR, Message: message}).Error()
		if told := strings.Contains(got, "systemctl restart libvirtd"); told != want || !strings.HasPrefix(got, message) {
			t.Errorf("%q is told as %q", message, got)
		}
	}
}
