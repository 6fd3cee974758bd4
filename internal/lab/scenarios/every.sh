# Jobs by their schedules: systemd's timer starts them, also after a reboot, and shows one that fails.
# hosts: bookworm

#: install
apt-get install -y /lab/package/sbx_*_amd64.deb
mkdir -p /srv/count
job() {
	cat >"/root/$1.cue" <<END
package $1

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "$1"
	backend: "lxc"
	every:   "$2"
	run: argv: ["/bin/sh", "-c", "$3"]
	expose: ["/usr"]
	mounts: "/count": {host: "/srv/count/$1", writable: true}
	secrets: token: file: "/root/token"
}
END
}
echo secret >/root/token
job counts 1m 'cat /run/secrets/token >>/count/runs; echo counted'
job fails daily 'echo no room >&2; exit 3'

#: up prepares them, and starts nothing
sbx up counts.cue fails.cue
sbx ps
test "$(virsh -q -c lxc:///system list --name)" = ""
test ! -e /srv/count/counts/runs
systemctl list-timers --no-pager 'sbx-job@*'
test "$(systemctl show -P ActiveState sbx-job@counts.timer)" = active

#: a second up changes nothing, and nothing drifts
sbx up counts.cue | tee /tmp/said
grep unchanged /tmp/said
sbx plan --exit-code counts.cue fails.cue
sbx drift

#: the timer starts it, again and again, with its secret
for ((i = 0; i < 300; i++)); do
	if [ "$(grep -c secret /srv/count/counts/runs 2>/dev/null)" -ge 2 ]; then break; fi
	sleep 2
done
cat /srv/count/counts/runs
test "$(grep -c secret /srv/count/counts/runs)" -ge 2
sbx logs counts | grep counted
journalctl --no-pager -o cat -u sbx-job@counts | tail -n 4
sbx ps

#: one that fails is shown by systemd and by ps, with its own words
if systemctl start sbx-job@fails; then exit 1; fi
test "$(systemctl show -P ExecMainStatus sbx-job@fails)" = 3
journalctl --no-pager -o cat -u sbx-job@fails | tee /tmp/said
grep 'no room' /tmp/said
sbx ps | tee /tmp/said
grep -E '^fails .* 3$' /tmp/said
sbx drift

#: a run may follow another one at once
for ((i = 0; i < 5; i++)); do systemctl start sbx-job@counts; done
sbx logs counts | grep -c counted

#: a timer that somebody has stopped is drift, and up starts it again
systemctl disable --now sbx-job@fails.timer
if sbx drift; then exit 1; fi
sbx up fails.cue | tee /tmp/said
test "$(systemctl show -P ActiveState sbx-job@fails.timer)" = active
sbx drift

#! reboot

#: it runs again without a hand
before=$(wc -l </srv/count/counts/runs)
for ((i = 0; i < 300; i++)); do
	if [ "$(wc -l </srv/count/counts/runs)" -gt "$before" ]; then break; fi
	sleep 2
done
test "$(wc -l </srv/count/counts/runs)" -gt "$before"
sbx plan --exit-code counts.cue fails.cue

#: down takes the timers with them
sbx down counts fails
test -z "$(ls /etc/systemd/system/ | grep sbx-job)"
test -z "$(systemctl list-timers --all --no-legend 'sbx-job@*')"
test -z "$(virsh -q -c lxc:///system list --all --name)"
test ! -e /var/lib/sbx/counts
