# Machines where qemu.conf says that QEMU is root's.
# hosts: bookworm-variants trixie-variants

#: install
apt-get install -y /lab/package/sbx_*_amd64.deb
udevadm settle

#: QEMU as root in qemu.conf: doctor and sbx say what to do, and that helps
printf 'user = "root"\ngroup = "root"\n' >>/etc/libvirt/qemu.conf
systemctl restart libvirtd
sbx doctor --backend kvm >said || true
grep 'chmod o+x /var/lib/libvirt/qemu' said
sbx run -b kvm -- id 2>said && exit 1
grep 'chmod o+x /var/lib/libvirt/qemu' said
chmod o+x /var/lib/libvirt/qemu
sbx run -b kvm -- id
