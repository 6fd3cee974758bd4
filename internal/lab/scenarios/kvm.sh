# Machines with hardware virtualisation: what they do, and each of the users that QEMU may have.
# hosts: bookworm-variants trixie-variants

#: install, but for the udev rule, which comes into force below
apt-get install -y /lab/package/sbx_*_amd64.deb
mv /usr/lib/udev/rules.d/70-sbx-kvm.rules /root/
# udevd reads its rules anew three seconds later at the earliest, and the kernel tells
# it of a change of /dev/kvm with each machine that starts or ends.
udevadm control --reload
udevadm settle
setfacl -b /dev/kvm
cat >either.cue <<'END'
package either

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "either"
	backend: *"lxc" | "kvm" @tag(backend)
	run: argv: ["/usr/bin/sleep", "infinity"]
	expose: ["/usr", "/etc/passwd"]
	mounts: "/data": {host: "/srv/either", writable: true}
	resources: {memory: "300MiB", cpus: 2}
}
END

#: QEMU is libvirt's user where /dev/kvm is for its group alone
sbx run -b kvm -- true
udevadm settle
getfacl -cp /dev/kvm
sbx doctor --backend kvm | grep 'for all machines'

#: exit codes, standard input and output
test "$(echo hello | sbx run -b kvm -- cat)" = hello
code=0
sbx run -b kvm -- sh -c 'exit 77' || code=$?
test "$code" = 77

#: apache answers, and is silent on other ports
sbx up --tag backend=kvm apache
virsh -q -c qemu:///system dumpxml apache | grep "<domain type='kvm' id="
curl -fsS --max-time 120 -o /dev/null http://10.83.0.80/
curl -sS --connect-timeout 5 -o /dev/null http://10.83.0.80:81/ && exit 1
sbx ps --json | grep -E '"user": ?64055'

#: exec, cp and logs
test "$(sbx exec apache -- cat /etc/hostname)" = apache
code=0
sbx exec apache -- sh -c 'exit 9' || code=$?
test "$code" = 9
sbx cp apache:/etc/hostname hostname.txt
test "$(cat hostname.txt)" = apache
echo there >there.txt
sbx cp there.txt apache:/tmp/there.txt
test "$(sbx exec apache -- cat /tmp/there.txt)" = there
test -n "$(sbx logs apache 2>&1)"

#: root in the machine against its walls
sbx exec apache -- cat /etc/shadow && exit 1
sbx exec apache -- sh -c 'echo x >/usr/x' && exit 1
sbx exec apache -- mount -o remount,rw /usr && sbx exec apache -- sh -c 'echo x >/usr/x' && exit 1
test ! -e /usr/x
sbx exec apache -- sh -c 'echo x >/etc/apache2/x' && exit 1
test ! -e /etc/apache2/x

#: one sandbox of a name: a container of this one is refused
sbx up apache 2>said && exit 1
grep SBX0516 said
sbx down apache

#: a folder serves the container and the machine of a profile in turn
for backend in lxc kvm lxc; do
	sbx up --tag backend=$backend either.cue
	sbx exec either -- sh -c "umask 077; cat /data/log 2>/dev/null; echo $backend >>/data/log; mkdir -p /data/folder; echo $backend >>/data/folder/log"
	sbx down either
done
test "$(tr '\n' ' ' </srv/either/log)" = 'lxc kvm lxc '
test "$(tr '\n' ' ' </srv/either/folder/log)" = 'lxc kvm lxc '
test "$(stat -c %u:%g /srv/either /srv/either/log /srv/either/folder | sort -u | wc -l)" = 1

#: the machine has what its profile bounds
sbx up --tag backend=kvm either.cue
test "$(sbx exec either -- nproc)" = 2
test "$(sbx exec either -- sed -n 's/MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo)" -lt $((300 * 1024))

#! reboot

#: it runs again as it was
udevadm settle
sbx up --tag backend=kvm either.cue
sbx exec either -- cat /data/log
sbx down either

#: with sbx's udev rule, each machine's QEMU is an id of its own
mv /root/70-sbx-kvm.rules /usr/lib/udev/rules.d/
udevadm control --reload
udevadm trigger --action=change /dev/kvm
udevadm settle
ls -l /dev/kvm
sbx doctor --backend kvm | grep "an id of each sandbox's own"
sbx up --tag backend=kvm either.cue
ps -o uid=,gid= -p "$(cat /run/libvirt/qemu/either.pid)"
test "$(ps -o uid= -p "$(cat /run/libvirt/qemu/either.pid)" | tr -d ' ')" = "$(stat -c %u /srv/either)"
sbx exec either -- sh -c 'cat /data/log; echo own >>/data/log'
sbx down either
sbx up either.cue
sbx exec either -- grep own /data/log
sbx down either
