# libvirt makes its networks' rules by nftables: from before the first sandbox, after all rules were flushed, and switched to and from while sandboxes run.
# hosts: trixie

#: install, and libvirt is told so before the first sandbox
apt-get install -y /lab/package/sbx_*_amd64.deb
udevadm settle
# backend NAME: which program libvirt makes its networks' rules with, from now on.
cat >/usr/local/bin/backend <<'FILE'
#!/bin/bash
set -e
sed -i '/^firewall_backend/d' /etc/libvirt/network.conf
echo "firewall_backend = \"$1\"" >>/etc/libvirt/network.conf
systemctl restart libvirtd
virsh -q -c qemu:///system net-list >/dev/null # it answers when it has begun
FILE
# A host beyond this one, which knows no way to this host's networks: it answers this host alone.
ip netns add far
ip link add far0 type veth peer name far1 netns far
ip addr add 192.0.2.1/24 dev far0
ip link set far0 up
ip -n far addr add 192.0.2.2/24 dev far1
ip -n far link set far1 up
ip -n far link set lo up
echo 'Listen 81' >>/etc/apache2/ports.conf
install -d /run/apache2
(set +u; . /etc/apache2/envvars; ip netns exec far apache2 -k start)
# get NAME PORT: whether the sandbox gets what is there.
cat >/usr/local/bin/get <<'FILE'
#!/bin/bash
exec sbx exec "$1" -- curl -fsS --connect-timeout 20 -o /dev/null "http://192.0.2.2:$2/"
FILE
# closed NAME PORT: nothing comes of it, as of what is dropped.
cat >/usr/local/bin/closed <<'FILE'
#!/bin/bash
sbx exec "$1" -- curl -sS --connect-timeout 10 -o /dev/null "http://192.0.2.2:$2/" 2>/run/closed && exit 1
cat /run/closed
grep -q -e 'timed out' -e 'Timeout was reached' /run/closed
FILE
# by PROGRAM: whether libvirt's NAT of the network sbx-out is made with that, or, with none, with neither.
cat >/usr/local/bin/by <<'FILE'
#!/bin/bash
is() { test "$(nft list table ip libvirt_network 2>/dev/null | grep -c '10.84.0.0/24.*masquerade')" "$1" 0 && test "$(iptables-save -t nat | grep -c '10.84.0.0/24.*MASQUERADE')" "$2" 0; }
for n in {1..300}; do # it may still be at it
	case "$1" in
	nftables) is -gt -eq && exit ;;
	iptables) is -eq -gt && exit ;;
	both) is -gt -gt && exit ;;
	none) is -eq -eq && exit ;;
	esac
	sleep 0.1
done
nft list ruleset
iptables-save
exit 1
FILE
# gone: nothing stays of networks, be it in nftables or by iptables.
cat >/usr/local/bin/gone <<'FILE'
#!/bin/bash
nft list ruleset 2>/dev/null >/run/gone
iptables-save >>/run/gone
ip6tables-save >>/run/gone
virsh -q -c qemu:///system net-list --all --name >>/run/gone
! grep -e '10\.8[4-6]\.' -e fd84 -e sbx -e '[io]if [0-9]' /run/gone
FILE
chmod 0755 /usr/local/bin/{backend,get,closed,by,gone}
# profile NAME ADDRESS NETWORK MODE ITS-ADDRESSES TO
profile() {
	cat >$1.cue <<FILE
package $1

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "$1"
	backend: "lxc"
	run: argv: ["/usr/bin/sleep", "infinity"]
	expose: ["/usr", "/etc/ld.so.cache"]
	network: {
		attach: "$3"
		create: {mode: "$4", address: $5}
		address: "$2/24"
		allow: [{out: tcp: [80], to: "$6"}]
	}
}
FILE
}
profile out 10.84.0.10 sbx-out nat '["10.84.0.1/24", "fd84::1/64"]' 192.0.2.2
profile inner 10.85.0.10 sbx-inner isolated '"10.85.0.1/24"' 10.85.0.1
profile late 10.86.0.10 sbx-late nat '"10.86.0.1/24"' 192.0.2.2
sed -i 's/^\t\taddress: "10.8[46].*/&\n\t\tgateway: "ADDRESS"/' out.cue late.cue
sed -i 's/ADDRESS/10.84.0.1/' out.cue
sed -i 's/ADDRESS/10.86.0.1/' late.cue
sbx vet out.cue inner.cue late.cue
libvirtd --version
backend nftables
sbx doctor --backend lxc

#: libvirt alone leaves the rules of a network that is changed while it runs
# Once it does not, package netrules is not needed any more.
virsh -q -c qemu:///system net-start default
virsh -q -c qemu:///system net-destroy default
test -z "$(nft list table ip libvirt_network | grep 192.168.122)"
virsh -q -c qemu:///system net-start default
virsh -q -c qemu:///system net-update default add dns-host "<host ip='192.168.122.9'><hostname>x</hostname></host>" --live
virsh -q -c qemu:///system net-destroy default
nft list table ip libvirt_network | grep '192.168.122.*masquerade'
nft delete table ip libvirt_network
nft delete table ip6 libvirt_network
systemctl restart libvirtd

#: an isolated network and one with NAT
sbx up inner.cue
sbx up out.cue
by nftables
get out 80
closed out 81
sbx denied out >said
grep '{out: tcp: \[81\], to: "192.0.2.2"},' said
sbx drift
sbx plan out.cue inner.cue
sbx doctor --backend lxc >said
test -z "$(grep 'network rules' said)"

#: they go, and leave nothing
sbx down out inner
gone
echo 'nothing stays'

#: after nft flush ruleset a sandbox is behind its wall, and reaches nobody; doctor says what to do
sbx up out.cue inner.cue
nft flush ruleset
for n in {1..300}; do nft list table bridge sbx-out >/dev/null 2>&1 && break || sleep 0.1; done
nft list table bridge sbx-out | head -1
closed out 80
if sbx drift; then exit 1; fi
sbx up out.cue inner.cue
sbx drift
closed out 80
sbx doctor --backend lxc | tee said
grep -A 1 'network rules .*sbx-inner, sbx-out' said | grep 'systemctl restart libvirtd'
if sbx up late.cue 2>said; then exit 1; fi
cat said
grep SBX0523 said
grep 'systemctl restart libvirtd' said

#: that is right
systemctl restart libvirtd
by nftables
get out 80
closed out 81
sbx up late.cue
get late 80
sbx drift
sbx doctor --backend lxc >said
test -z "$(grep 'network rules' said)"
systemctl restart libvirtd # which makes them once more, and has forgotten the older ones
get out 80
sbx down out inner late
gone
echo 'nothing stays'

#: from iptables to nftables while sandboxes run
backend iptables
sbx up out.cue inner.cue
by iptables
get out 80
backend nftables
by nftables
get out 80
closed out 81
sbx drift
sbx plan out.cue inner.cue
sbx up late.cue
get late 80
sbx down out inner late
gone
echo 'nothing stays'

#: from nftables to iptables while they run: libvirt has both, and down takes both
sbx up out.cue inner.cue
by nftables
backend iptables
by both
get out 80
closed out 81
sbx drift
sbx doctor --backend lxc
sbx down out inner
gone
echo 'nothing stays'
