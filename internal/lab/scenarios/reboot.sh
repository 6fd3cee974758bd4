# Sandboxes across the host's shutdown: those that somebody has started, and those of sbx-apply.
# hosts: bookworm trixie

#: install
apt-get install -y /lab/package/sbx_*_amd64.deb
for of in machine:kvm container:lxc stray:lxc; do
	cat >/root/${of%:*}.cue <<END
package ${of%:*}

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "${of%:*}"
	backend: "${of#*:}"
	run: argv: ["/usr/bin/sleep", "infinity"]
	expose: ["/usr"]
}
END
done
cat >/etc/sbx/profiles/asked.cue <<'END'
package asked

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "asked"
	backend: "lxc"
	run: {
		argv: ["/usr/bin/sh", "-c", "trap 'echo asked >/kept/asked; exit' USR1; while :; do sleep 0.2; done"]
		stop: signal: "USR1"
	}
	expose: ["/usr"]
	mounts: "/kept": {host: "/srv/asked", writable: true}
}
END
systemctl enable --now sbx@asked
udevadm settle

#: a machine and a container, started by hand
sbx up /root/machine.cue
sbx up /root/container.cue
date +%s >/root/begun

#! reboot

#: a service of sbx@NAME was asked to stop, in its profile's way, and runs again
grep asked /srv/asked/asked
sbx exec asked -- true
systemctl disable --now sbx@asked
rm /etc/sbx/profiles/asked.cue

#: libvirt has not waited for the machine, and both start again
took=$(($(date +%s) - $(cat /root/begun)))
echo "$took seconds from the order to here"
test $took -lt 250 # libvirt-guests waits 300 s for a machine that does not hear its power button
udevadm settle
sbx up /root/machine.cue
sbx exec machine -- true
sbx down machine
sbx up /root/container.cue
sbx down container

#: sbx-apply.timer brings up what is in the folder, and takes down what is not
sed 's|argv: .*|argv: ["/usr/bin/sh", "-c", "while date +%N; do sleep 1; done"]|' /root/container.cue >/etc/sbx/profiles/container.cue
sbx up /root/stray.cue
systemctl enable sbx-apply.service
systemctl enable --now sbx-apply.timer
for ((i = 0; i < 120; i++)); do
	if sbx exec container -- true 2>/dev/null && ! sbx ps | grep stray; then break; fi
	sleep 2
done
journalctl --no-pager -o cat -u sbx-apply.service
sbx exec container -- true
if sbx ps | grep stray; then exit 1; fi
for ((i = 0; i < 30; i++)); do # until the service has ended, and the timer waits again
	if systemctl show -P SubState sbx-apply.timer | grep -x waiting; then break; fi
	sleep 1
done
test "$(systemctl show -P SubState sbx-apply.timer)" = waiting
last=$(sbx logs container | tail -n 1) # who keeps its log has not gone with the service
sleep 10
test "$(sbx logs container | tail -n 1)" != "$last"

#! reboot

#: it is up again without a hand
for ((i = 0; i < 120; i++)); do
	if sbx exec container -- true 2>/dev/null; then break; fi
	sleep 2
done
sbx exec container -- true
journalctl --no-pager -o cat -b -u sbx-apply.service

#: purge: of a unit that has failed, too, nothing stays
echo 'no profile' >/etc/sbx/profiles/broken.cue
if systemctl start sbx@broken; then exit 1; fi
apt-get purge -y sbx
systemctl list-units --all --no-legend --plain 'sbx*' | tee /root/left
test ! -s /root/left
