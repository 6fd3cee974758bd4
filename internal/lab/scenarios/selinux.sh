# Debian 13 with SELinux in the place of AppArmor: what runs, and what Debian's own policy stops.
# hosts: trixie-selinux

#: the policy is loaded, and only warns
test "$(getenforce)" = Permissive
ls -Zd /usr/bin/qemu-system-x86_64 /usr/sbin/libvirtd /var/lib/libvirt
ps -Zp "$(pgrep -x libvirtd)"

#: installation from the deb
apt-get install -y /lab/package/sbx_*_amd64.deb
ls -Zd /usr/bin/sbx /var/lib/sbx

#: what is tried here, as a command
# The lab's own folder has no label: while the policy is enforced nothing can be
# written to it, so the output waits.
cat >/usr/local/bin/enforced <<'END'
#!/bin/bash
dmesg --clear
setenforce 1
"$@" >/root/said 2>&1 </dev/null
code=$?
setenforce 0
cat /root/said
dmesg | grep -o 'avc: *denied.*' | sed -E 's/(pid|ino|dev|audit)=[^ ]* //g' | sort | uniq -c | sort -rn | head -n 20
exit $code
END
chmod 0755 /usr/local/bin/enforced

#: permissive: doctor
sbx doctor

#: permissive: a container
sbx run -- id

#: permissive: a machine
udevadm settle
sbx run -b kvm -- id

#: enforcing: doctor
enforced sbx doctor

#: enforcing: a container
enforced sbx run -- id

#: enforcing: a machine
enforced sbx run -b kvm -- id
