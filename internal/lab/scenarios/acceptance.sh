# sbx from its installation to its purge, with both kinds of sandbox, across a reboot.
# hosts: bookworm trixie

#: libvirt's own container and machine run and end
# What they leave behind is not sbx's doing, so it is there before sbx comes.
virsh -q -c qemu:///system net-create /dev/stdin <<'END'
<network><name>control</name><forward mode='nat'/><bridge name='control0'/>
<ip address='10.84.0.1' netmask='255.255.255.0'><dhcp><range start='10.84.0.2' end='10.84.0.9'/></dhcp></ip></network>
END
virsh -q -c lxc:///system create /dev/stdin <<'END'
<domain type='lxc'><name>control</name><memory unit='MiB'>64</memory>
<os><type>exe</type><init>/bin/sleep</init><initarg>900</initarg></os>
<devices><console type='pty'/><interface type='bridge'><source bridge='control0'/><target dev='controlc'/><filterref filter='clean-traffic'/></interface></devices></domain>
END
virsh -q -c lxc:///system destroy control
virsh -q -c qemu:///system create /dev/stdin <<'END'
<domain type='qemu'><name>control</name><memory unit='MiB'>64</memory><os><type arch='x86_64' machine='q35'>hvm</type></os>
<devices><interface type='bridge'><source bridge='control0'/><target dev='controlm'/><filterref filter='clean-traffic'/></interface></devices></domain>
END
virsh -q -c qemu:///system destroy control
virsh -q -c qemu:///system net-destroy control
/lab/tools/host-state >/lab/before

#: install
cp -a /lab/root/. /
systemctl daemon-reload
sbx version

#: doctor has nothing that must be mended
sbx doctor

#: the first command ever, in a container
sbx run -- id

#: a command in a machine
udevadm settle
sbx run -b kvm -- id

#: apache in a container answers
sbx up apache
curl -fsS --max-time 60 http://10.83.0.80/ | grep -i '<title>'
sbx ps

#: it is confined by AppArmor
pid=$(pgrep -x apache2 | head -n 1)
cat /proc/$pid/attr/current
grep -q enforce /proc/$pid/attr/current

#: the container goes, and nothing of it stays
sbx down apache
test -z "$(virsh -q -c lxc:///system list --all --name)"
test -z "$(virsh -q -c lxc:///system net-list --all --name | grep sbx)"
test -z "$(pgrep -f 'sbx keep')"

#: apache in a machine answers
sbx up --tag backend=kvm apache
curl -fsS --max-time 120 http://10.83.0.80/ | grep -i '<title>'
sbx ps

#: it is a KVM machine
virsh -q -c qemu:///system dumpxml apache | grep "<domain type='kvm' id="

#: its QEMU is confined by AppArmor
pid=$(cat /run/libvirt/qemu/apache.pid)
cat /proc/$pid/attr/current
grep -q enforce /proc/$pid/attr/current

#: the machine goes, and nothing of it stays
sbx down apache
test -z "$(virsh -q -c qemu:///system list --all --name)"
test -z "$(virsh -q -c qemu:///system net-list --all --name | grep sbx)"
test -z "$(pgrep -f 'sbx keep')"

#: a service that is started with the host
mkdir -p /etc/sbx/profiles
cp /lab/profiles/apache.cue /etc/sbx/profiles/
systemctl enable --now sbx@apache
curl -fsS --max-time 60 http://10.83.0.80/ | grep -i '<title>'

#! reboot

#: apache answers again without a hand
systemctl is-active sbx@apache
curl -fsS --max-time 60 http://10.83.0.80/ | grep -i '<title>'

#: an upgrade while it runs
before=$(pgrep -x apache2 | sort | tr '\n' ' ')
cp -a --remove-destination /lab/root/. /
systemctl daemon-reload
test "$before" = "$(pgrep -x apache2 | sort | tr '\n' ' ')"
curl -fsS --max-time 60 http://10.83.0.80/ | grep -i '<title>'
sbx exec apache -- id -u

#: what no profile is of is taken down
mkdir -p site/web
cat >site/web/sleeper.cue <<'END'
package web

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "sleeper"
	backend: "lxc"
	run: argv: ["/usr/bin/sleep", "infinity"]
	expose: ["/usr", "/etc/ld.so.cache"]
}
END
sbx apply --prune --yes site/...
test "$(virsh -q -c lxc:///system list --all --name)" = sleeper
rm -r site/web/sleeper.cue
sbx ps

#: purge
systemctl disable --now sbx@apache
sbx down sleeper
rm -rf /usr/local/bin/sbx /usr/local/libexec/sbx /usr/local/lib/systemd/system/sbx@.service /etc/sbx /var/lib/sbx
systemctl daemon-reload

#: the host is as it was before
/lab/tools/host-state >/lab/after
diff /lab/before /lab/after | grep '^[<>]' >/lab/left || true
test -z "$(cat /lab/left)" || { cat /lab/left; false; }
