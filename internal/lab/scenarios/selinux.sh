# SELinux in the place of AppArmor: what runs where it enforces, and what each sandbox's own policy stops.
# hosts: bookworm-selinux trixie-selinux

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
enforced bash -c 'sbx run -b kvm -- id & until ps -eo label,comm | grep qemu-system || ! kill -0 $!; do sleep 0.2; done; wait $!' | tee said
grep -q '^uid=0' said
grep -q system_u:system_r:svirt_t:s0:c said

#: enforcing: a machine, from a terminal
enforced terminal sbx run -b kvm -- id

#: enforcing: apache in a container, from a terminal, in types of its own
enforced terminal bash -c 'sbx up profiles/apache.cue && curl -fsS -o page http://10.83.0.80/ && sbx exec apache -- cat /proc/self/attr/current' | tee said
grep -q html page
grep -q system_u:system_r:sbx_apache.process:s0:c said
ls -Z /var/log/sbx/apache | tee said
grep -q system_u:object_r:sbx_apache.content:s0:c said
sbx drift apache

#: a process in the container's types and outside of its walls
# Nobody may enter them while they are enforced, so it waits for that.
mkdir -p /srv/secret /var/log/sbx/other /home/somebody
for file in /srv/secret/file /root/.bashrc /var/log/sbx/other/log /home/somebody/file; do echo secret >$file; done
cp -L /usr/bin/env /srv/secret/program
install -m 0755 /lab/tools/taken-over /usr/local/bin/
restorecon -R /srv /root /home /usr/local/bin
chcon -l s0:c1,c2 /var/log/sbx/other/log
chmod a+w /var/log/sbx/apache/access.log # the process is root without its namespace, and so not its owner
cd /var/log/sbx/apache # to which no path leads that it may follow
context=$(sbx exec apache -- cat /proc/self/attr/current | tr -d '\0')
dmesg --clear
(until [ "$(getenforce)" = Enforcing ]; do sleep 1; done; echo) |
	runcon "$context" perl /usr/local/bin/taken-over --container "$context" \
		/etc/shadow /root/.bashrc /home/somebody/file /srv/secret/file /var/log/sbx/other/log /proc/1/environ /proc/1/mem /dev/vda /sys/kernel/security/lsm \
		-- /etc/apache2/apache2.conf +access.log | cat >/run/said &
sleep 5
setenforce 1
code=0; wait $! || code=$?
setenforce 0
cat /run/said
test "$code" = 0
# Each denial names who it was.
dmesg | grep -o 'avc: *denied.*permissive=0' >/run/denied
grep -c -e "scontext=$context" /run/denied
test -z "$(grep -v -e "scontext=$context" /run/denied)"

#: a policy that somebody has taken away or changed is drift, and up puts it back
semodule -r sbx_apache
sbx drift apache >said && exit 1
grep 'selinux policy' said
enforced sbx up profiles/apache.cue
sbx drift apache
curl -fsS -o page http://10.83.0.80/

#: enforcing: it is started anew, and writes its log again
enforced bash -c 'sbx stop apache && sbx up profiles/apache.cue && curl -fsS -o page http://10.83.0.80/'
ls -lZ /var/log/sbx/apache
enforced sbx down apache
test -z "$(semodule -l | grep sbx_apache)"

#: what a policy of its own costs: up and down with one, and without, in one run
seconds() {
	local begun=$EPOCHREALTIME
	"$@" >/dev/null || exit
	awk "BEGIN { printf \"%.1f\", $EPOCHREALTIME - $begun }"
}
sed '/^schema.#Profile & {/a mac: "none"' profiles/apache.cue >plain.cue
grep -q '^mac: "none"' plain.cue
plain=$(seconds sbx up plain.cue)
plaindown=$(seconds sbx down apache)
own=$(seconds sbx up profiles/apache.cue)
sbx stop apache
again=$(seconds sbx up profiles/apache.cue)
owndown=$(seconds sbx down apache)
for t in $plain $plaindown $own $again $owndown; do test -n "$t"; done
awk "BEGIN { printf \"up %.1f s with its policy, %.1f s without: %.2f times as long; %.1f s where it is loaded; down %.1f s, %.1f s without\\n\", $own, $plain, $own / $plain, $again, $owndown, $plaindown }"

#: enforcing: apache in a machine, in types of its own
enforced bash -c 'sbx up --tag backend=kvm profiles/apache.cue && curl -fsS --max-time 300 -o page http://10.83.0.80/'
grep -q html page
ps -eo label,comm | grep qemu-system | tee said
grep -q system_u:system_r:sbx_apache.process:s0:c said
sbx drift apache
enforced sbx down apache
