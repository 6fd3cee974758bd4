# Each sandbox in an AppArmor profile of its own: what that allows, what changes it, and what is without it.
# hosts: bookworm trixie

#: install
apt-get install -y /lab/package/sbx_*_amd64.deb
udevadm settle
grep -q '^libvirtd (enforce)' /sys/kernel/security/apparmor/profiles
sbx doctor | grep -c 'apparmor .*a profile of its own' | grep -x 2
mkdir -p /srv/secret
echo secret >/srv/secret/file
journalctl -b -o cat | grep -c 'apparmor="DENIED"' >denied || true

#: a command in a container is confined, and its profile goes with it
sbx run -- cat /proc/self/attr/current | grep '^libvirt-.* (enforce)'
grep libvirt- /sys/kernel/security/apparmor/profiles && exit 1
test ! -e /sys/kernel/security/apparmor/policy/profiles/libvirt-*

#: root in the container mounts nothing, and has no sockets but those of its network
sbx run -- sh -c 'mount -t tmpfs none /tmp' && exit 1
sbx run -- perl -e 'use Socket; exit(socket(my $s, 40, SOCK_STREAM, 0) ? 1 : 0)'

#: apache in a container answers in its profile
sbx up apache
curl -fsS --max-time 60 -o /dev/null http://10.83.0.80/
sbx exec apache -- cat /proc/1/attr/current
sbx drift apache

#: a process in the container's profile and outside of its walls
cp -L /usr/bin/env /srv/secret/program
/lab/tools/taken-over --container libvirt-"$(virsh -c lxc:///system domuuid apache)" \
	/etc/shadow /etc/machine-id /root/.bashrc /home /srv/secret/file /var/lib/sbx/.lock /var/lib/sbx/apache /proc/1/environ /proc/1/mem /dev/vda \
	/sys/kernel/security/apparmor/profiles -- /usr/bin/env

#: a replaced profile is drift, and up puts it right while the container runs
profile=libvirt-$(virsh -c lxc:///system domuuid apache)
echo "profile $profile flags=(complain) {}" | apparmor_parser -r
sbx drift apache >said && exit 1
grep 'is complain' said
sbx up apache
sbx drift apache
grep "^$profile (enforce)" /sys/kernel/security/apparmor/profiles

#: a removed profile is drift, and up starts the container anew
profile=libvirt-$(virsh -c lxc:///system domuuid apache)
echo "profile $profile {}" | apparmor_parser -R
sbx exec apache -- cat /proc/1/attr/current | grep -x unconfined
sbx plan apache | grep restart
sbx up apache
sbx exec apache -- cat /proc/1/attr/current | grep -x "$profile (enforce)"

#: down takes the profile away
sbx down apache
grep libvirt- /sys/kernel/security/apparmor/profiles && exit 1
test ! -e /var/lib/sbx/apache

#: learn sees what a container in its profile is refused
sed -e '/nsswitch.conf/d' -e 's/\[80, 443\]/[443]/' /lab/profiles/apache.cue >less.cue
sbx learn less.cue -- curl -s -m 60 http://10.83.0.80/ >said || cat said
grep -x 'to open, 2:' said
grep 'expose gets "/etc/nsswitch.conf"' said
grep 'network.allow gets {in: tcp: \[80\]}' said

#: what a profile of its own costs: up and down with one, and without, in one run
seconds() {
	local begun=$EPOCHREALTIME
	"$@" >/dev/null || exit
	awk "BEGIN { printf \"%.1f\", $EPOCHREALTIME - $begun }"
}
mkdir plain # the package of another profile is in this folder
sed '/^schema.#Profile & {/a mac: "none"' /lab/profiles/apache.cue >plain/apache.cue
grep -q '^mac: "none"' plain/apache.cue
plain=$(seconds sbx up plain/apache.cue)
plaindown=$(seconds sbx down apache)
own=$(seconds sbx up /lab/profiles/apache.cue)
owndown=$(seconds sbx down apache)
for t in $plain $plaindown $own $owndown; do test -n "$t"; done
awk "BEGIN { printf \"up %.1f s with its profile, %.1f s without: %.2f times as long; down %.1f s, %.1f s without\\n\", $own, $plain, $own / $plain, $owndown, $plaindown }"

#: apache in a machine answers, and QEMU is in its profile
sbx up --tag backend=kvm apache
curl -fsS --max-time 300 -o /dev/null http://10.83.0.80/
cat /proc/"$(cat /run/libvirt/qemu/apache.pid)"/attr/current
grep -qx "libvirt-$(virsh domuuid apache) (enforce)" /proc/"$(cat /run/libvirt/qemu/apache.pid)"/attr/current
sbx drift apache

#: a QEMU that has been taken over
/lab/tools/taken-over libvirt-"$(virsh domuuid apache)" \
	/etc/shadow /etc/passwd /etc/apache2/apache2.conf /root/.bashrc /home /srv/secret/file /usr/bin/id /var/lib/sbx/.lock /var/lib/sbx/apache/boot/manifest.json \
	/var/lib/libvirt/qemu /proc/1/environ /proc/1/mem /proc/1/cmdline /proc/1/root/etc/shadow /dev/vda /dev/mem \
	/sys/kernel/security/apparmor/profiles -- \
	/var/lib/sbx/apache/boot/kernel +/dev/null

#: the same as QEMU's own user, for whom the stage is open, and what every user may read is not
user=$(stat -c %u:%g /proc/"$(cat /run/libvirt/qemu/apache.pid)")
/lab/tools/taken-over --as "$user" libvirt-"$(virsh domuuid apache)" \
	/etc/passwd /etc/hostname /etc/apache2/apache2.conf /usr/bin/id /proc/1/cmdline /proc/1/status /srv -- \
	/var/lib/sbx/apache/stage/export0 /var/lib/sbx/apache/boot/kernel +/dev/null

#: nothing starts where the profile cannot be loaded
sbx down apache
mv /usr/sbin/apparmor_parser /root/
sbx run -- true 2>said && exit 1
grep SBX0535 said
sbx run -b kvm -- true 2>said && exit 1
grep SBX0535 said
sbx up apache 2>said && exit 1
grep SBX0535 said
sbx doctor >said || true
grep 'fail.*apparmor' said
test -z "$(virsh -q -c lxc:///system list --all --name)$(virsh -q list --all --name)"
mv /root/apparmor_parser /usr/sbin/

#: without libvirtd, root's machine is confined, too
systemctl stop libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket libvirtd.service
sbx run -b kvm -- sleep 600 &
run=$!
pid= # the machine's QEMU: libvirt asks another one first what it can do
until [ -n "$pid" ]; do
	sleep 1
	for p in $(pgrep -x qemu-system-x86); do
		if tr '\0' ' ' </proc/$p/cmdline | grep -q -e '-name guest='; then pid=$p; fi
	done
done
grep '^libvirt-.* (enforce)' /proc/$pid/attr/current
kill $run
wait $run || true
grep libvirt- /sys/kernel/security/apparmor/profiles && exit 1
systemctl start libvirtd.socket

#: where libvirt does not use AppArmor, sandboxes run as before
echo 'security_driver = "none"' >>/etc/libvirt/lxc.conf
systemctl restart libvirtd
sbx doctor --backend lxc | grep 'one wall less'
sbx run -- cat /proc/self/attr/current | grep -x unconfined
