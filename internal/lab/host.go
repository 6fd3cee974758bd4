package lab

import (
	"fmt"
	"slices"
	"strings"
)

// Host is a kind of machine that scenarios run on.
type Host struct {
	Name     string   // as scenarios and tables call it
	Suite    string   // Debian's release
	Packages []string // beside those that every host has
	Kernel   []string // words of the kernel's command line, beside those that every host has
	Setup    string   // shell that is run once in the tree that the image is made of, as root
}

// Hosts are all there are.
var Hosts = []Host{
	{Name: "bookworm", Suite: "bookworm"},
	{Name: "trixie", Suite: "trixie"},
	{Name: "bookworm-variants", Suite: "bookworm", Packages: variants, Setup: asleep},
	{Name: "trixie-variants", Suite: "trixie", Packages: variants, Setup: asleep},
	{Name: "trixie-selinux", Suite: "trixie", Packages: selinux, Kernel: []string{"security=selinux", "selinux=1"}, Setup: labelled},
	{Name: "bookworm-selinux", Suite: "bookworm", Packages: selinux, Kernel: []string{"security=selinux", "selinux=1"}, Setup: labelled},
	{Name: "trixie-noipv6", Suite: "trixie", Kernel: []string{"ipv6.disable=1"}},
	{Name: "bookworm-desktop", Suite: "bookworm", Packages: desktop},
	{Name: "trixie-desktop", Suite: "trixie", Packages: desktop},
}

// desktop is what programs with windows need, and what reads pictures of them.
var desktop = []string{"netpbm", "tigervnc-standalone-server", "x11-apps", "xpdf"}

// variants are what hosts have beside libvirt, as a scenario's steps switch it on.
var variants = []string{"acl", "firewalld", "ufw", "polkitd", "sudo"}

// asleep keeps both firewalls from starting by themselves.
const asleep = "systemctl -q disable firewalld.service ufw.service\n"

// selinux is Debian's policy and its tools.
var selinux = []string{"selinux-policy-default", "selinux-utils", "policycoreutils"}

// labelled is a host whose policy only warns until somebody says setenforce 1.
const labelled = `sed -i 's/^SELINUX=.*/SELINUX=permissive/; s/^SELINUXTYPE=.*/SELINUXTYPE=default/' /etc/selinux/config
grep -q '^SELINUX=permissive' /etc/selinux/config
setfiles -F -e /proc -e /sys -e /dev /etc/selinux/default/contexts/files/file_contexts /
`

// common is what every host has: a small Debian with libvirt and both of the kinds
// of sandbox that sbx has, and apache, whose profile ships.
var common = strings.Fields(`
	systemd systemd-sysv dbus udev kmod procps adduser netbase e2fsprogs
	linux-image-amd64 initramfs-tools zstd apparmor
	iproute2 iptables nftables curl ca-certificates
	libvirt-daemon-system libvirt-daemon-driver-lxc libvirt-daemon-driver-qemu
	libvirt-daemon-config-network libvirt-daemon-config-nwfilter libvirt-clients
	qemu-system-x86 dnsmasq-base apache2
`)

// Find gives the host of a name.
func Find(name string) (Host, error) {
	i := slices.IndexFunc(Hosts, func(h Host) bool { return h.Name == name })
	if i < 0 {
		return Host{}, fmt.Errorf("there is no host %q: there are %s", name, strings.Join(names(), ", "))
	}
	return Hosts[i], nil
}

func names() (all []string) {
	for _, h := range Hosts {
		all = append(all, h.Name)
	}
	return all
}

// packages of h, each once, in an order of their own.
func (h Host) packages() []string {
	all := slices.Concat(common, h.Packages)
	slices.Sort(all)
	return slices.Compact(all)
}
