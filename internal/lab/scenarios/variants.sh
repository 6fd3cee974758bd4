# Hosts as people have them: sbx works there, or says before what is wrong and what to do.
# hosts: bookworm-variants trixie-variants

#: install
apt-get install -y /lab/package/sbx_*_amd64.deb
# accept: the same steps on each variant, as somebody would type them.
cat >/usr/local/bin/accept <<'END'
#!/bin/bash
set -eEuo pipefail
sbx down apache 2>/dev/null || true # of a step that has failed
trap 'code=$?; { echo "accept: exit status $code: $BASH_COMMAND"; ip -br addr; bridge link; ip neigh; ebtables -t nat -L --Lc | grep "pcnt = [1-9]"; iptables -S | grep -v sbx; } >&2' ERR
refused() { if "$@"; then echo "passed, and was to be refused: $*"; return 1; fi; }
test "$(sbx run -- id -u)" = 0
sbx up apache
curl -fsS -o /dev/null http://10.83.0.80/
refused curl -sS --connect-timeout 3 -o /dev/null http://10.83.0.80:81/ 2>/dev/null
test "$(sbx exec apache -- cat /etc/hostname)" = apache
refused sbx exec apache -- sh -c 'echo x >/etc/apache2/x' 2>/dev/null
sbx logs apache >/dev/null 2>&1
sbx drift
sbx down apache
END
# machine: the least of a machine.
cat >/usr/local/bin/machine <<'END'
#!/bin/bash
set -eEuo pipefail
test "$(sbx run -b kvm -- id -u)" = 0
END
chmod 0755 /usr/local/bin/accept /usr/local/bin/machine
udevadm settle

#: umask 077, from the first command on
rm -rf /var/lib/sbx /var/log/sbx # as if nothing had ever run
umask 077
accept
machine
ls -ld /var/lib/sbx /var/log/sbx

#: br_netfilter is not loaded: libvirt's rules load it
sbx down apache 2>/dev/null || true
modprobe -r br_netfilter xt_physdev # the one loads the other, once
sbx doctor | grep 'bridge filtering.*with the first filter'
sbx up apache 2>/tmp/said
if grep stateless /tmp/said; then exit 1; fi
sysctl net.bridge.bridge-nf-call-iptables | grep ' 1$'
sbx down apache

#: br_netfilter cannot be loaded: one half of each filter holds, and sbx says so
modprobe -r br_netfilter xt_physdev
echo 'install br_netfilter /bin/false' >/etc/modprobe.d/none.conf
sbx doctor | grep 'bridge filtering'
accept 2>/tmp/said || { cat /tmp/said; exit 1; }
grep stateless /tmp/said
rm /etc/modprobe.d/none.conf
modprobe br_netfilter

#: Docker's firewall: forwarding is dropped, but for what has a rule
iptables -P FORWARD DROP
ip6tables -P FORWARD DROP
iptables -N DOCKER-USER
iptables -I FORWARD -j DOCKER-USER
accept
cat >/root/client.cue <<'END'
package client

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name: "client"
	backend: "lxc"
	run: argv: ["/usr/bin/sleep", "10000"]
	expose: ["/usr", "/etc/ld.so.cache"]
	network: {
		attach: "sbx-web"
		create: {mode: "nat", address: ["10.83.0.1/24", "fd83::1/64"]}
		address: ["10.83.0.90/24", "fd83::90/64"]
		gateway: ["10.83.0.1", "fd83::1"]
		allow: [{out: tcp: [80, 81], to: ["10.83.0.80", "192.0.2.2"]}]
	}
}
END
sbx up apache
sbx up /root/client.cue
sbx exec client -- curl -fsS --connect-timeout 5 -o /dev/null http://10.83.0.80/
ip netns add far
ip link add far0 type veth peer name far1 netns far
ip addr add 192.0.2.1/24 dev far0
ip link set far0 up
ip -n far addr add 192.0.2.2/24 dev far1
ip -n far link set far1 up
ip -n far link set lo up
install -d /run/apache2
(set +u; . /etc/apache2/envvars; ip netns exec far apache2 -k start)
sbx exec client -- curl -fsS --connect-timeout 20 -o /dev/null http://192.0.2.2/
(set +u; . /etc/apache2/envvars; ip netns exec far apache2 -k stop)
echo 'from sandbox to sandbox, and out: passes'
sbx down client
sbx down apache
ip link del far0
ip netns del far
iptables -P FORWARD ACCEPT
ip6tables -P FORWARD ACCEPT
iptables -D FORWARD -j DOCKER-USER
iptables -X DOCKER-USER

#: firewalld
systemctl start firewalld
accept
systemctl stop firewalld
systemctl restart libvirtd

#: ufw
ufw --force enable
accept
ufw --force disable
systemctl restart libvirtd

#: memory and swap
fallocate -l 400M /root/swap
chmod 0600 /root/swap
mkswap -q /root/swap
swapon /root/swap
code=0
sbx run --memory 64MiB -- tail /dev/zero >/tmp/said 2>&1 || code=$?
cat /tmp/said
test "$code" = 137
swapoff -a

#: a clock in the past
systemctl stop systemd-timesyncd 2>/dev/null || true
date -s '2001-02-03 04:05:06'
accept
machine
sbx up apache
date -s '2000-01-01 00:00:00'
sbx restart apache
sbx exec apache -- true
test -n "$(sbx logs apache --since 1h 2>&1)"
sbx down apache

#: a plain user in the groups libvirt and kvm
useradd -m -s /bin/bash -G libvirt,kvm anna
su - anna -c 'id; sbx ps'
su - anna -c 'sbx doctor' || true
su - anna -c 'sbx up apache' 2>&1 | tee /tmp/said && exit 1 || true
grep -q root /tmp/said
su - anna -c 'sbx run -- id' 2>&1 | tee /tmp/said && exit 1 || true
grep -q root /tmp/said
test "$(su - anna -c 'sbx run -b kvm -- id -u')" = 0

#: messages in another language
apt-get --version >/dev/null
echo 'LANG=de_DE.UTF-8' >/etc/default/locale
mkdir -p /etc/systemd/system.conf.d
printf '[Manager]\nDefaultEnvironment=LANG=de_DE.UTF-8 LANGUAGE=de\n' >/etc/systemd/system.conf.d/lang.conf
systemctl daemon-reexec
systemctl restart libvirtd
LANG=de_DE.UTF-8 LC_ALL=de_DE.UTF-8 LANGUAGE=de accept

#: /var is another file system
truncate -s 900M /root/var.img
mke2fs -q -t ext4 /root/var.img
mkdir -p /mnt/var
mount -o loop /root/var.img /mnt/var
systemctl stop libvirtd.service libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket virtlogd.service virtlogd.socket
cp -a /var/. /mnt/var
umount /mnt/var
mount -o loop /root/var.img /var
systemctl start virtlogd.socket libvirtd.socket
rm -rf /var/lib/sbx
accept
machine
systemctl stop libvirtd.service libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket virtlogd.service virtlogd.socket
umount -l /var
systemctl start virtlogd.socket libvirtd.socket libvirtd-ro.socket
