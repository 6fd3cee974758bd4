# Networks with NAT by the firewall that libvirt makes them with: a sandbox reaches out, both of its walls hold beside it, and what they drop is told.
# hosts: bookworm trixie

#: install, and a host beyond this one
apt-get install -y /lab/package/sbx_*_amd64.deb
udevadm settle
# It knows no way to this host's networks: it answers this host alone.
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
for port in 80 81; do curl -fsS -o /dev/null http://192.0.2.2:$port/; done
for kind in lxc kvm; do
	cat >$kind.cue <<END
package $kind

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "$kind"
	backend: "$kind"
	run: argv: ["/usr/bin/sleep", "infinity"]
	expose: ["/usr", "/etc/ld.so.cache"]
	network: {
		attach: "sbx-out"
		create: {mode: "nat", address: "10.84.0.1/24"}
		address: "10.84.0.$(test $kind = lxc && echo 10 || echo 11)/24"
		gateway: "10.84.0.1"
		allow: [{out: tcp: [80], to: "192.0.2.2"}]
	}
}
END
done
# get NAME PORT: whether the sandbox gets what is there.
cat >/usr/local/bin/get <<'END'
#!/bin/bash
exec sbx exec "$1" -- curl -fsS --connect-timeout 20 -o /dev/null "http://192.0.2.2:$2/"
END
# closed NAME PORT: nothing comes of it, as of what is dropped.
cat >/usr/local/bin/closed <<'END'
#!/bin/bash
sbx exec "$1" -- curl -sS --connect-timeout 10 -o /dev/null "http://192.0.2.2:$2/" 2>/run/closed && exit 1
cat /run/closed
grep -q -e 'timed out' -e 'Timeout was reached' /run/closed
END
chmod 0755 /usr/local/bin/get /usr/local/bin/closed

#: libvirt makes its networks with iptables, as Debian has it
sbx up lxc.cue
nft list tables >tables
test -z "$(grep libvirt_network tables)"
iptables-save >rules
grep 'LIBVIRT_PRT.*10.84.0.0/24.*MASQUERADE' rules

#: a container reaches out as this host, and no further than its profile
: >/var/log/apache2/access.log
get lxc 80
closed lxc 81
grep '^192.0.2.1 .*GET / ' /var/log/apache2/access.log # apache logs when it has answered
sbx denied lxc | tee said
grep -q 81 said

#: the inner wall alone holds, and the outer one alone
# alone: what holds of the container's walls when somebody has taken the other one, or both.
cat >/usr/local/bin/alone <<'END'
#!/bin/bash
set -eEuo pipefail
trap 'code=$?; echo "alone: exit status $code: $BASH_COMMAND" >&2' ERR
nft -s list table bridge sbx-lxc >inner
# libvirt's filter hangs in chains of its own.
iptables -S | sed -n 's/^-N \(libvirt-[a-z-]*\)$/\1/p' | xargs -r -n 1 iptables -F
ebtables -t nat -F PREROUTING
ebtables -t nat -F POSTROUTING
get lxc 80
closed lxc 81
systemctl stop sbx-guard.service # which would put it back
nft delete table bridge sbx-lxc
get lxc 81 # without either: what is closed is closed by them
systemctl restart libvirtd
get lxc 80
closed lxc 81
if sbx drift lxc; then exit 1; fi
sbx up lxc.cue
sbx drift lxc
nft -s list table bridge sbx-lxc | diff inner -
END
chmod 0755 /usr/local/bin/alone
alone

#: a machine beside it on the same network
sbx up kvm.cue
get kvm 80
closed kvm 81
get lxc 80

#: the network goes with the last one
virsh -q -c qemu:///system net-list --all --name | grep sbx-out
sbx down lxc kvm
nft list ruleset >rules
test -z "$(grep -e 10.84.0 -e sbx-lxc -e sbx-kvm rules)"
test -z "$(virsh -q -c qemu:///system net-list --all --name | grep sbx-out)"
echo 'nothing of it stays'

#: what a wall drops, from this host and from another sandbox, is told with the rule that it lacks
cat >client.cue <<'END'
package client

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "client"
	backend: "lxc"
	run: argv: ["/usr/bin/sleep", "infinity"]
	expose: ["/usr", "/etc/ld.so.cache"]
	network: {
		attach: "sbx-web"
		create: {mode: "nat", address: ["10.83.0.1/24", "fd83::1/64"]}
		address: "10.83.0.90/24"
		allow: [{out: tcp: [80, 81], to: "10.83.0.80"}]
	}
}
END
# asked PORT CODE: what becomes of it from here, and from the other sandbox.
cat >/usr/local/bin/asked <<'END'
#!/bin/bash
set -u
curl -sS --connect-timeout 20 -o /dev/null "http://10.83.0.80:$1/"
here=$?
sbx exec client -- curl -sS --connect-timeout 20 -o /dev/null "http://10.83.0.80:$1/"
there=$?
echo "port $1: $here from here, $there from the other sandbox"
test $here = "$2" && test $there = "$2"
END
chmod 0755 /usr/local/bin/asked
sbx up apache # which listens on 81, too, as the host's configuration has it
sbx up client.cue
asked 80 0
asked 81 28 # it timed out: dropped, not refused
for n in {1..60}; do # the log is written each second
	sbx denied apache >said
	test "$(grep -c '{in: tcp: \[81\], from: ' said)" = 2 && break || sleep 1
done
cat said
grep '{in: tcp: \[81\], from: "10.83.0.1"},' said
grep '{in: tcp: \[81\], from: "10.83.0.90"},' said

#: these rules, pasted into its profile, let it pass, and it is told no more
grep '{in: tcp: \[81\], from: ' said >rules
sed '/^\t\tallow: \[$/r rules' /lab/profiles/apache.cue >apache.cue
sbx vet apache.cue
sbx up apache.cue
asked 81 0
sbx drift
sbx denied apache >said
test -z "$(grep -F '[81]' said)"
sbx down client apache
