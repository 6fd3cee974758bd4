package container

import (
	"slices"

	"github.com/sbx-dev/sbx/compiler/libvirt/domain"
	"github.com/sbx-dev/sbx/compiler/selinux"
)

// policy confines all that runs in a container by SELinux: what appArmor says by paths
// it says by types, so that also a process outside of its mounts finds little that it
// may read, and nothing that it may write but its own.
func policy(s *domain.Sandbox) ([]byte, error) {
	p := selinux.New(s.Name, selinux.Container)
	for _, m := range s.Manifest.Mounts {
		if _, err := mountOf(m); err != nil {
			return nil, err
		}
	}
	held := capabilityNames(s)
	open := selinux.Opened{Namespace: s.Users.Namespace, Capabilities: held, Sockets: sockets(s, held)}
	open.Speaks = domain.AllowFiles(p, s, true)
	p.For("capabilities, of the command and of the first process")
	p.Hold(open.Namespace, held)
	p.For("sockets, on the container's own network")
	p.Net(open.Sockets)
	p.Wall(open)
	return p.Encode(), nil
}

// sockets are the kinds that a container can have: those of its own loopback always,
// interfaces by their device, the others with a network.
func sockets(s *domain.Sandbox, held []string) []string {
	kinds := []string{"tcp_socket", "udp_socket"}
	if slices.Contains(s.Devices, tun) {
		kinds = append(kinds, selinux.Interface)
	}
	if len(s.Interfaces) == 0 {
		return kinds
	}
	kinds = append(kinds, "sctp_socket", "icmp_socket")
	if slices.Contains(held, "net_raw") {
		kinds = append(kinds, "rawip_socket", "packet_socket")
	}
	return kinds
}
