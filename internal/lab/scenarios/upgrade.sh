# Another version of sbx while sandboxes run, and back; its removal, and another program of its name.
# hosts: bookworm trixie

#: install, and one sandbox of each kind
apt-get install -y /lab/package/sbx_*_amd64.deb
cat >/etc/sbx/profiles/boxed.cue <<'END'
package boxed

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "boxed"
	backend: "lxc"
	run: argv: ["/usr/bin/sh", "-c", "echo begun; exec sleep infinity"]
	expose: ["/usr"]
	mounts: "/kept": {host: "/srv/kept", writable: true}
}
END
sed 's/boxed/machine/; s/"lxc"/"kvm"/; /mounts/d' /etc/sbx/profiles/boxed.cue >machine.cue
# same: both run on as they were begun, and this sbx does with them what it does with its own.
cat >/usr/local/bin/same <<'END'
#!/bin/bash
set -eu
test "$(pgrep -fx 'sleep infinity')" = "$(cat boxed.pid)"
test "$(cat /run/libvirt/qemu/machine.pid)" = "$(cat machine.pid)"
sbx version
sbx ps
for name in boxed machine; do
	sbx exec $name -- true
	sbx logs $name | grep -x begun
done
sbx plan /etc/sbx/profiles/boxed.cue
sbx plan machine.cue
sbx drift
END
# begun: notes which processes they are.
cat >/usr/local/bin/begun <<'END'
#!/bin/bash
set -eu
pgrep -fx 'sleep infinity' >boxed.pid
cp /run/libvirt/qemu/machine.pid machine.pid
END
chmod 0755 /usr/local/bin/same /usr/local/bin/begun
udevadm settle
systemctl enable --now sbx@boxed
sbx up machine.cue
begun
same

#: an upgrade: both run on, and the new sbx manages them
apt-get install -y /lab/package-next/sbx_*_amd64.deb
same

#: a downgrade: the same again
apt-get install -y --allow-downgrades /lab/package/sbx_*_amd64.deb
same

#: what the newer one has begun, the older one manages
apt-get install -y /lab/package-next/sbx_*_amd64.deb
sbx restart boxed
sbx down machine
sbx up machine.cue
begun
apt-get install -y --allow-downgrades /lab/package/sbx_*_amd64.deb
same
sbx restart boxed
sbx down machine

#: no removal while a sandbox cannot be taken down, and it says so
systemctl stop libvirtd.service libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket
systemctl mask libvirtd.service libvirtd.socket
apt-get remove -y sbx >said 2>&1 && exit 1
grep 'not removed.*boxed' said
systemctl unmask libvirtd.service libvirtd.socket
systemctl start libvirtd.socket
sbx exec boxed -- true

#: removal takes down what runs, and leaves what is yours
sbx exec boxed -- sh -c 'echo mine >/kept/file'
apt-get remove -y sbx
test -z "$(virsh -q -c lxc:///system list --all --name)"
grep mine /srv/kept/file
test -e /etc/sbx/profiles/boxed.cue

#: installed again, what was enabled starts
apt-get install -y /lab/package/sbx_*_amd64.deb
systemctl start sbx@boxed
sbx exec boxed -- grep mine /kept/file

#: another program of the name: the packages conflict, and doctor says which one comes first
mkdir -p other/DEBIAN
printf 'Package: docker-sbx\nVersion: 1\nArchitecture: all\nMaintainer: none <none@localhost>\nDescription: a command sbx\n' >other/DEBIAN/control
dpkg-deb -b other docker-sbx.deb
dpkg -i docker-sbx.deb 2>said && exit 1
grep 'conflicting packages' said
install -m 0755 /usr/bin/true /usr/local/bin/sbx
/usr/bin/sbx doctor | grep 'sbx is /usr/local/bin/sbx by PATH'
rm /usr/local/bin/sbx
