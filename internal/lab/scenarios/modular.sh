# libvirt with a daemon for each of its drivers in the place of libvirtd, as Fedora and openSUSE have it.
# hosts: bookworm

#: install, and libvirt's daemons, each to start when it is first needed
apt-get install -y /lab/package/sbx_*_amd64.deb
systemctl disable --now libvirtd.service libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket
install -m 0755 /lab/modular/virt*d /usr/sbin/
install -m 0644 /lab/modular/*.service /lab/modular/*.socket /usr/lib/systemd/system/
echo 'remote_mode = "direct"' >>/etc/libvirt/libvirt.conf
systemctl daemon-reload
systemctl enable --now virtlxcd.socket virtqemud.socket virtnetworkd.socket virtnwfilterd.socket
test ! -e /run/libvirt/libvirt-sock
udevadm settle

#: doctor has nothing that must be mended
sbx doctor | tee said
if grep ^fail said; then exit 1; fi

#: the first command ever, in a container
sbx run -- id

#: apache in a container answers, and is silent on other ports
sbx up apache
curl -fsS -o /dev/null http://10.83.0.80/
curl -sS --connect-timeout 3 -o /dev/null http://10.83.0.80:81/ && exit 1
sbx exec apache -- sh -c 'echo x >/etc/apache2/x' && exit 1
sbx drift

#: the daemons end when nobody needs them, and the walls stay
systemctl stop virtlxcd.service virtnetworkd.service virtnwfilterd.service
curl -fsS -o /dev/null http://10.83.0.80/
curl -sS --connect-timeout 3 -o /dev/null http://10.83.0.80:81/ && exit 1
sbx ps | grep 'apache.*running'
sbx drift
test "$(sbx exec apache -- cat /etc/hostname)" = apache
test -n "$(sbx logs apache 2>&1)"
curl -sS --connect-timeout 3 -o /dev/null http://10.83.0.80:81/ && exit 1
sbx restart apache
curl -fsS -o /dev/null http://10.83.0.80/

#: a machine beside it, on the same network
sbx run -b kvm -- id
sed 's/10\.83\.0\.80/10.83.0.81/; s/fd83::80/fd83::81/; s/"apache"/"second"/; s|/sbx/apache|/sbx/second|' /lab/profiles/apache.cue >second.cue
sbx up --tag backend=kvm second.cue
curl -fsS --max-time 120 -o /dev/null http://10.83.0.81/
curl -sS --connect-timeout 5 -o /dev/null http://10.83.0.81:81/ && exit 1
sbx ps
sbx down second
virsh -c lxc:///system net-list | grep sbx-web

#: without the daemon for filters: doctor and sbx say what to do, and nothing is half made
sbx down apache
systemctl stop virtnwfilterd.service virtnwfilterd.socket virtnwfilterd-ro.socket virtnwfilterd-admin.socket
sbx doctor --backend lxc >said && exit 1
grep 'virtnwfilterd.socket' said
sbx up apache 2>said && exit 1
cat said
grep 'SBX0510.*systemctl enable --now virtnwfilterd.socket' said
sbx ps --json | grep apache && exit 1
sbx run -- true
systemctl start virtnwfilterd.socket

#: a service that is started with the host
cp /lab/profiles/apache.cue /etc/sbx/profiles/apache.cue
systemctl enable --now sbx@apache.service
curl -fsS -o /dev/null http://10.83.0.80/
rm /var/log/sbx/apache/error.log # what it says from here on is a file of its own
sbx restart apache
systemctl is-active libvirtd.service && exit 1 || true

#! reboot

#: apache was asked to stop before libvirt's daemons were, and answers again without a hand
grep 'SIGWINCH, shutting down gracefully' /var/log/sbx/apache/error.log
curl -fsS -o /dev/null http://10.83.0.80/
systemctl is-active virtlxcd.socket
systemctl is-active libvirtd.service && exit 1
test ! -e /run/libvirt/libvirt-sock

#: purge, while a sandbox runs
apt-get purge -y sbx
test ! -e /var/lib/sbx
virsh -c lxc:///system list --all --name | grep apache && exit 1
virsh -c lxc:///system net-list --all --name | grep sbx && exit 1
true
