# SELinux that enforces from the host's boot on, and what the boot itself starts.
# hosts: bookworm-selinux trixie-selinux

#: installation from the deb, while the policy only warns
test "$(getenforce)" = Permissive
# The image has no labels where something is mounted, nor on what was written last.
mount --bind / /mnt
setfiles -F -r /mnt /etc/selinux/default/contexts/files/file_contexts /mnt/dev /mnt/etc
umount /mnt
apt-get install -y /lab/package/sbx_*_amd64.deb
semodule -l | grep -x sbx
ls -Zd /usr/bin/sbx /var/lib/sbx

#: a service of the next boot, and who looks at it
mkdir -p /etc/sbx/profiles
cp /lab/profiles/apache.cue /etc/sbx/profiles/
systemctl enable sbx@apache
# The lab's own folder has no label: its agent cannot write there until this has
# ended, and the policy only warns again.
cat >/usr/local/bin/at-boot <<'END'
#!/bin/bash
mkdir -p /root/at-boot
cd /root/at-boot || exit
each() {
	local name=$1
	shift
	"$@" >"$name" 2>&1 </dev/null
	echo $? >"$name.code"
}
getenforce >mode
udevadm settle
each apache curl -fsS --retry 60 --retry-delay 2 --retry-connrefused --max-time 300 -o page http://10.83.0.80/
each unit systemctl is-active sbx@apache
each inside sbx exec apache -- cat /proc/self/attr/current
each container sbx run -- cat /proc/self/attr/current
each machine sbx run -b kvm -- id
dmesg | grep -o 'avc: *denied.*' | grep -v '"/lab/' | sed -E 's/(pid|ino|dev|audit)=[^ ]* //g' | sort | uniq -c | sort -rn | head -n 20 >denied
END
chmod 0755 /usr/local/bin/at-boot
cat >/etc/systemd/system/at-boot.service <<'END'
[Unit]
After=sbx@apache.service libvirtd.service

[Service]
Type=oneshot
TimeoutStartSec=15min
ExecStart=/usr/local/bin/at-boot
ExecStopPost=setenforce 0

[Install]
WantedBy=multi-user.target
END
mkdir -p /etc/systemd/system/lab-agent.service.d
printf '[Unit]\nAfter=at-boot.service\n' >/etc/systemd/system/lab-agent.service.d/late.conf
systemctl enable at-boot
sed -i 's/^SELINUX=.*/SELINUX=enforcing/' /etc/selinux/config
restorecon -RF /etc/systemd /etc/sbx /etc/selinux /usr/local/bin

#! reboot

#: it has enforced since its boot
cat at-boot/mode
test "$(cat at-boot/mode)" = Enforcing
cat at-boot/denied

#: a service that the boot has started answered
tail -n 5 at-boot/apache at-boot/unit at-boot/inside
journalctl -b -u sbx@apache --no-pager | tail -n 20
test "$(cat at-boot/apache.code at-boot/unit.code at-boot/inside.code | tr '\n' ' ')" = '0 0 0 '
grep -q html at-boot/page
grep -q sbx_apache.process at-boot/inside

#: a command in a container
cat at-boot/container
test "$(cat at-boot/container.code)" = 0
grep -q sbx_container_t at-boot/container

#: a command in a machine
cat at-boot/machine
test "$(cat at-boot/machine.code)" = 0
grep -q '^uid=0' at-boot/machine
