# Debian 13 with SELinux in the place of AppArmor: what runs, and what Debian's own policy stops.
# hosts: trixie-selinux

#: the policy is loaded, and only warns
test "$(getenforce)" = Permissive
# The image has no labels where something is mounted, nor on what was written last.
mount --bind / /mnt
setfiles -F -r /mnt /etc/selinux/default/contexts/files/file_contexts /mnt/dev /mnt/etc
umount /mnt
ls -Zd /usr/bin/qemu-system-x86_64 /usr/sbin/libvirtd /var/lib/libvirt /etc/machine-id
ps -Zp "$(pgrep -x libvirtd)"

#: installation from the deb
apt-get install -y /lab/package/sbx_*_amd64.deb
ls -Zd /usr/bin/sbx /var/lib/sbx

#: what is tried here, as commands
# The lab's own folder has no label: while the policy is enforced nothing can be
# written to it, so the output waits.
cat >/usr/local/bin/enforced <<'END_OF_COMMAND'
#!/bin/bash
dmesg --clear
setenforce 1
"$@" >/run/said 2>&1 </dev/null
code=$?
setenforce 0
cat /run/said
dmesg | grep -o 'avc: *denied.*' | grep -v '"/lab/' | sed -E 's/(pid|ino|dev|audit)=[^ ]* //g' | sort | uniq -c | sort -rn | head -n 20
exit $code
END_OF_COMMAND
# Somebody at a terminal, who has all categories; the lab itself is a unit, with none.
cat >/usr/local/bin/terminal <<'END_OF_COMMAND'
#!/bin/bash
exec runcon unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023 "$@"
END_OF_COMMAND
chmod 0755 /usr/local/bin/enforced /usr/local/bin/terminal
cp -r /lab/profiles .

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
enforced sbx run -- cat /proc/self/attr/current | tr '\0' '\n' | tee said
grep -q system_u:system_r:sbx_container_t:s0:c said

#: enforcing: a container, from a terminal
enforced terminal sbx run -- id

#: enforcing: a machine
# Beside what it prints, the context of its QEMU.
enforced bash -c 'sbx run -b kvm -- id & until ps -eo label,comm | grep qemu-system; do sleep 0.2; done; wait $!' | tee said
grep -q '^uid=0' said
grep -q system_u:system_r:svirt_t:s0:c said

#: enforcing: a machine, from a terminal
enforced terminal sbx run -b kvm -- id

#: enforcing: apache in a container, from a terminal
enforced terminal bash -c 'sbx up profiles/apache.cue && curl -fsS -o page http://10.83.0.80/ && sbx exec apache -- cat /proc/self/attr/current'
grep -q html page
ls -Z /var/log/sbx/apache

#: enforcing: it is started anew, and writes its log again
enforced bash -c 'sbx stop apache && sbx up profiles/apache.cue && curl -fsS -o page http://10.83.0.80/'
ls -lZ /var/log/sbx/apache
enforced sbx down apache

#: enforcing: apache in a machine is refused, with the reason
# Debian's policy lets no machine read what is httpd_config_t.
if enforced sbx up --tag backend=kvm profiles/apache.cue >said 2>&1; then exit 1; fi
cat said
grep -q 'SBX0538.*/etc/apache2 is httpd_config_t' said
