# sbx from its installation to its purge, with both kinds of sandbox, across a reboot.
# hosts: bookworm trixie

#: libvirt's own container and machine come and go
# What they leave behind is not sbx's doing, so it is there before sbx comes.
virsh -k 0 -q nwfilter-define /dev/stdin <<'END'
<filter name='control'>
<rule action='accept' direction='in'><tcp dstportstart='80'/></rule>
<rule action='accept' direction='in'><tcp-ipv6 dstportstart='80'/></rule>
<rule action='accept' direction='inout'><arp/></rule><rule action='accept' direction='inout'><icmp/></rule>
<rule action='accept' direction='inout'><ip protocol='tcp'/></rule><rule action='accept' direction='inout'><ipv6 protocol='tcp'/></rule>
<rule action='drop' direction='inout'><all/></rule>
</filter>
END
virsh -k 0 -q net-define /dev/stdin <<'END'
<network><name>control</name><forward mode='nat'/><bridge name='control0'/>
<ip address='10.84.0.1' netmask='255.255.255.0'/><ip family='ipv6' address='fd84::1' prefix='64'/></network>
END
virsh -k 0 -q net-start control
virsh -k 0 -q -c lxc:///system define /dev/stdin <<'END'
<domain type='lxc'><name>control</name><memory unit='MiB'>64</memory>
<os><type>exe</type><init>/bin/sleep</init><initarg>900</initarg></os>
<devices><console type='pty'/><interface type='network'><source network='control'/><target dev='controlc'/><filterref filter='control'/></interface></devices></domain>
END
virsh -k 0 -q -c lxc:///system start control
virsh -k 0 -q -c lxc:///system destroy control
virsh -k 0 -q -c lxc:///system undefine control
virsh -k 0 -q define /dev/stdin <<'END'
<domain type='qemu'><name>control</name><memory unit='MiB'>64</memory><os><type arch='x86_64' machine='q35'>hvm</type></os>
<devices><interface type='network'><source network='control'/><target dev='controlm'/><filterref filter='control'/></interface></devices></domain>
END
virsh -k 0 -q start control
virsh -k 0 -q destroy control
virsh -k 0 -q undefine control
virsh -k 0 -q net-destroy control
virsh -k 0 -q net-undefine control
virsh -k 0 -q nwfilter-undefine control
/lab/tools/host-state >/lab/before

#: installation from the deb
apt-get install -y /lab/package/sbx_*_amd64.deb
sbx version

#: doctor has nothing that must be mended
sbx doctor

#: the first command ever, in a container
sbx run -- id

#: a command in a machine
udevadm settle
sbx run -b kvm -- id || { dmesg | grep -E 'DENIED' | tail -n 6; false; }

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
virsh -q dumpxml apache | grep "<domain type='kvm' id="

#: its QEMU is confined by AppArmor
pid=$(cat /run/libvirt/qemu/apache.pid)
cat /proc/$pid/attr/current
grep -q enforce /proc/$pid/attr/current

#: the machine goes, and nothing of it stays
sbx down apache
test -z "$(virsh -q list --all --name)"
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
apt-get install -y /lab/package-next/sbx_*_amd64.deb
sbx version
test "$before" = "$(pgrep -x apache2 | sort | tr '\n' ' ')"
curl -fsS --max-time 60 http://10.83.0.80/ | grep -i '<title>'

#: the new sbx manages what the old one has started
sbx ps
sbx exec apache -- id -u
sbx drift
sbx restart apache
curl -fsS --max-time 60 http://10.83.0.80/ | grep -i '<title>'

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

#: purge, while a sandbox runs
rm -r /etc/sbx/profiles/apache.cue site
apt-get purge -y sbx
test -z "$(virsh -q -c lxc:///system list --all --name)"
test ! -e /var/lib/sbx

#: the host is as it was before
# By the control's names libvirt leaves the same behind.
/lab/tools/host-state >/lab/after
same() { sed -E 's/\b(control|apache|sleeper|sbx-web|shell-[a-z0-9]{10})\b/NAME/g' "$1" | sort -u; }
comm -13 <(same /lab/before) <(same /lab/after) | sed 's/^/new: /' >/lab/left
comm -23 <(same /lab/before) <(same /lab/after) | grep -E '^(file /([^r]|r[^u])|content|user|group|unit) ' | sed 's/^/gone: /' >>/lab/left || true
cat /lab/left
test ! -s /lab/left
