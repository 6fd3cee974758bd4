# A hostile root in each kind of sandbox against its walls: the attempts of internal/probe, as in the private host of `make attack`.
# hosts: bookworm trixie

#: install
apt-get install -y /lab/package/sbx_*_amd64.deb
install -m 0755 -D /lab/tests/probe /srv/probe
# held FILE: no attempt has got through, and none was left out.
cat >/usr/local/bin/held <<'END'
#!/bin/bash
cut -f 1 "$1" | cut -d ' ' -f 1 | sort | uniq -c
if grep -vP '\theld: ' "$1"; then exit 1; fi
grep -P 'write more than a bounded folder holds\theld: ENOSPC$' "$1"
test "$(wc -l <"$1")" -ge 250
echo "$(wc -l <"$1") attempts, all held"
END
chmod 0755 /usr/local/bin/held
udevadm settle

#: root in a container, under AppArmor
sbx up --tag backend=lxc --tag name=walls-lxc --tag host=10 --tag bin=/srv/probe --tag data=/srv/lxc --tag bounded=/srv/lxc.ext4 /lab/tests/probe.cue
sbx exec walls-lxc -- cat /proc/self/attr/current | grep -a 'libvirt-.*(enforce)'
sbx exec walls-lxc -- /probe attack >lxc.said
held lxc.said

#: the container's host is as it was
sbx drift
sbx down walls-lxc
systemctl is-active libvirtd

#: root in a machine, whose QEMU is under AppArmor
sbx up --tag backend=kvm --tag name=walls-kvm --tag host=11 --tag bin=/srv/probe --tag data=/srv/kvm --tag bounded=/srv/kvm.ext4 /lab/tests/probe.cue
grep -a 'libvirt-.*(enforce)' "/proc/$(cat /run/libvirt/qemu/walls-kvm.pid)/attr/current"
sbx exec walls-kvm -- /probe attack >kvm.said
held kvm.said

#: the machine's host is as it was
sbx drift
sbx down walls-kvm
systemctl is-active libvirtd
