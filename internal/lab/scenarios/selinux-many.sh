# Under SELinux that enforces: devices and images of the host's, and many sandboxes at once.
# hosts: bookworm-selinux trixie-selinux

#: installation from the deb
mount --bind / /mnt
setfiles -F -r /mnt /etc/selinux/default/contexts/files/file_contexts /mnt/dev /mnt/etc
umount /mnt
apt-get install -y /lab/package/sbx_*_amd64.deb
udevadm settle
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
chmod 0755 /usr/local/bin/enforced

#: from a unit and from a terminal, a container's output comes, and nothing of it is denied
cat >output <<'END'
sbx run -- cat /proc/self/attr/current >/run/context
tr '\0' '\n' </run/context
END
enforced bash -eu output | tee said
# Somebody at a terminal has all categories; the lab itself is a unit, with none.
enforced runcon unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023 bash -eu output | tee -a said
test "$(grep -c ^system_u:system_r:sbx_container_t:s0:c said)" = 2
test -z "$(grep -E 'tclass=(fifo_file|fd)' said)"

#: a container opens devices of the host, and makes a network interface
cat >tunnel.cue <<'END'
package tunnel

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "tunnel"
	backend: "lxc"
	run: argv: ["/usr/bin/sleep", "infinity"]
	expose: ["/usr", "/etc/ld.so.cache"]
	devices: ["/dev/fuse", "/dev/net/tun"]
	capabilities: ["net_admin"]
}
END
cat >use <<'END'
exec 3<>/dev/fuse
ls -Z /dev/fuse /dev/net/tun
ip tuntap add mode tun name own
ip -o link show own
END
enforced sbx run tunnel.cue -- sh -euc "$(cat use)"
enforced bash -c 'sbx up tunnel.cue && sbx exec tunnel -- sh -euc "$(cat use)"'
sbx drift tunnel
enforced sbx down tunnel

#: many sandboxes that come, and go, have SELinux's policy made anew once
mkdir -p many
for name in one two three; do
	cat >many/$name.cue <<END
package $name

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "$name"
	backend: "lxc"
	run: argv: ["/usr/bin/sleep", "infinity"]
	expose: ["/usr", "/etc/ld.so.cache"]
}
END
done
made() { tr -d '\0' </var/lib/selinux/default/active/commit_num; } # how often
before=$(made)
enforced sbx apply many/*.cue
test "$(semodule -l | grep -c -x -e sbx_one -e sbx_two -e sbx_three)" = 3
test "$(made)" = $((before + 1))
sbx drift many/*.cue
semodule --cil -E sbx_one
enforced sbx down one two three
test -z "$(semodule -l | grep sbx_)"
test "$(made)" = $((before + 2))
# What an interrupted sbx has left goes, too.
semodule -i sbx_one.cil
sbx down one | grep -x 'one: down'
test -z "$(semodule -l | grep sbx_)"
# Of one that does not start, and of one that was to start after it, nothing stays.
sed -i 's|"/usr/bin/sleep"|"/usr/bin/absent"|' many/two.cue
sed -i '/name:/a after: ["two"]' many/three.cue
enforced sbx apply many/*.cue && exit 1
semodule -l | grep sbx_ | tee said
test "$(cat said)" = sbx_one
enforced sbx down one

#: a machine reads an image of the host's, whose label stays
mkdir -p /srv/image
echo inside >/srv/image/file
mke2fs -q -t ext4 -d /srv/image /srv/data.img 4M
restorecon /srv/data.img
label=$(stat -c %C /srv/data.img)
cat >data.cue <<'END'
package data

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "data"
	backend: "kvm"
	run: argv: ["/usr/bin/sleep", "infinity"]
	expose: ["/usr", "/etc/ld.so.cache"]
	mounts: "/data": image: "/srv/data.img"
}
END
enforced bash -c 'sbx up data.cue && sbx exec data -- cat /data/file' | tee said
grep -qx inside said
test "$(stat -c %C /srv/data.img)" = "$label"
sbx drift data
enforced sbx down data
stat -c '%C %n' /srv/data.img
test "$(stat -c %C /srv/data.img)" = "$label"

#: a command's machine reads one that all machines may read, whose label stays, and no other
enforced sbx run data.cue -- cat /data/file >said && exit 1
cat said
grep -q 'SBX0538.*virt_content_t' said
chcon -t virt_content_t /srv/data.img
label=$(stat -c %C /srv/data.img)
enforced sbx run data.cue -- cat /data/file | tee said
grep -qx inside said
test "$(stat -c %C /srv/data.img)" = "$label"

#: a machine writes an image of the host's, once the host has given it to it
restorecon -F /srv/data.img
sed 's|image: "/srv/data.img"|{image: "/srv/data.img", writable: true}|' data.cue >own.cue
grep writable own.cue
enforced sbx up --keep-failed own.cue >said && exit 1
chown=$(grep -o 'chown -R [0-9:]* /srv/data.img' said)
$chown
enforced sbx up --keep-failed own.cue >said && exit 1
cat said
grep 'SBX0538.*restorecon -RF /srv/data.img' said
restorecon -RF /srv/data.img
label=$(stat -c %C /srv/data.img)
echo "$label" | grep sbx_data.content
enforced bash -c 'sbx up own.cue && sbx exec data -- sh -c "echo more >/data/file; sync" && sbx exec data -- cat /data/file' | tee said
grep -qx more said
stat -c '%C %n' /srv/data.img
sbx drift data
enforced sbx stop data
test "$(stat -c %C /srv/data.img)" = "$label"
enforced sbx down data

#: a container writes a folder of the host's, once the host has given it to it
cat >folder.cue <<'END'
package folder

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "folder"
	backend: "lxc"
	run: argv: ["/usr/bin/sleep", "infinity"]
	expose: ["/usr", "/etc/ld.so.cache"]
	mounts: "/data": {host: "/srv/folder", writable: true}
}
END
enforced sbx up folder.cue
enforced sbx down folder
chcon -t var_t -l s0 /srv/folder
enforced sbx up --keep-failed folder.cue >said && exit 1
cat said
grep 'SBX0538.*restorecon -RF /srv/folder' said
restorecon -RF /srv/folder
enforced bash -c 'sbx up folder.cue && sbx exec folder -- sh -c "echo more >/data/file"'
ls -Z /srv/folder | grep sbx_folder.content
enforced sbx down folder
