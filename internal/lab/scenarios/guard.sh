# Inner walls on Debian's own kernel and systemd: who removes one, and who mends it.
# hosts: bookworm trixie

#: install, and a sandbox with an inner wall
apt-get install -y /lab/package/sbx_*_amd64.deb
cat >/etc/sbx/profiles/web.cue <<'CUE'
package web

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "web"
	backend: "lxc"
	run: argv: ["/usr/bin/sleep", "infinity"]
	expose: ["/usr"]
	network: {
		attach: "web"
		create: {mode: "isolated", address: "10.95.0.1/24"}
		address: "10.95.0.2/24"
		allow: [{out: udp: [5054], to: "10.95.0.1"}]
	}
}
CUE
sbx up /etc/sbx/profiles/web.cue
nft list table bridge sbx-web | head -3

#: systemd runs the guard, and a table that is deleted is back
systemctl is-active sbx-guard.service
nft delete table bridge sbx-web
for n in $(seq 300); do nft list table bridge sbx-web >/dev/null 2>&1 && break || sleep 0.1; done
sbx drift
sbx denied web | grep mended

#: so it is after a reload of nftables.service, which flushes the ruleset
systemctl start nftables.service
systemctl reload nftables.service
for n in $(seq 300); do nft list table bridge sbx-web >/dev/null 2>&1 && break || sleep 0.1; done
nft list table bridge sbx-web >/dev/null
sbx up /etc/sbx/profiles/web.cue
sbx drift
sbx denied web | grep mended

#: the guard that is killed has a successor, which holds the wall
before=$(systemctl show -P MainPID sbx-guard.service)
systemctl kill --signal=KILL sbx-guard.service
for n in $(seq 300); do
	if systemctl is-active --quiet sbx-guard.service && test "$(systemctl show -P MainPID sbx-guard.service)" != "$before"; then break; fi
	sleep 0.1
done
systemctl is-active sbx-guard.service
nft delete table bridge sbx-web
for n in $(seq 300); do nft list table bridge sbx-web >/dev/null 2>&1 && break || sleep 0.1; done
sbx drift

#: so has one that is ended by its signal, and often
for round in 1 2 3 4 5 6; do
	before=$(systemctl show -P MainPID sbx-guard.service)
	kill "$before"
	for n in $(seq 300); do
		if systemctl is-active --quiet sbx-guard.service && test "$(systemctl show -P MainPID sbx-guard.service)" != "$before"; then break; fi
		sleep 0.1
	done
	systemctl is-active sbx-guard.service
done
sbx drift

#: libvirtd's restart touches no wall
nft -s -a list table bridge sbx-web >/root/before
systemctl restart libvirtd.service
sbx ps
nft -s -a list table bridge sbx-web | diff /root/before -
sbx drift

#: sbx-apply.service leaves the guard, whoever has started it
sbx down web
for n in $(seq 300); do systemctl is-active --quiet sbx-guard.service || break; sleep 0.1; done
systemctl is-active sbx-guard.service && exit 1
systemctl start sbx-apply.service
systemctl is-active sbx-guard.service
nft delete table bridge sbx-web
for n in $(seq 300); do nft list table bridge sbx-web >/dev/null 2>&1 && break || sleep 0.1; done
sbx drift
systemctl enable sbx-guard.service

#! reboot

#: a sandbox that nobody has started by sbx has its wall before libvirt is there
nft list table bridge sbx-web | head -3
test "$(systemctl show -P ActiveEnterTimestampMonotonic sbx-guard.service)" -lt "$(systemctl show -P ActiveEnterTimestampMonotonic libvirtd.service)"

#: what the wall of a machine has dropped is told, too
cat >vm.cue <<'CUE'
package vm

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "vm"
	backend: "kvm"
	run: argv: ["/usr/bin/bash", "-c", "while sleep 0.5; do echo x >/dev/udp/10.96.0.1/9999; done 2>/dev/null"]
	expose: ["/usr"]
	network: {
		attach: "vm"
		create: {mode: "isolated", address: "10.96.0.1/24"}
		address: "10.96.0.2/24"
		allow: [{out: udp: [53], to: "10.96.0.1"}]
	}
}
CUE
sbx up vm.cue
for n in $(seq 300); do
	echo x >/dev/udp/10.96.0.2/5353
	sbx denied vm >said
	grep -qF '{in: udp: [5353], from: "10.96.0.1"}' said && grep -qF '{out: udp: [9999], to: "10.96.0.1"}' said && break || sleep 1
done
cat said
grep -F '{in: udp: [5353], from: "10.96.0.1"}' said
grep -F '{out: udp: [9999], to: "10.96.0.1"}' said
sbx down vm

#: purge: nothing stays
apt-get purge -y sbx 2>&1
nft list tables | grep sbx && exit 1
systemctl is-active sbx-guard.service && exit 1
test ! -e /etc/systemd/system/multi-user.target.wants/sbx-guard.service
test ! -e /var/lib/sbx
