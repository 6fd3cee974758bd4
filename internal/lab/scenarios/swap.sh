# Swap space behind zswap: what is bounded stays bounded, and none of a container's memory goes there.
# hosts: bookworm trixie

#: install
apt-get install -y /lab/package/sbx_*_amd64.deb
cat >held.cue <<'END'
package held

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "held"
	backend: "lxc"
	run: {
		argv: ["/usr/bin/sh", "-c", "x=$(head -c 20000000 /dev/zero | tr '\\0' a); echo ${#x}; touch /run/ready; sleep infinity"]
		ready: {file: "/run/ready", timeout: "5m"}
	}
	expose: ["/usr"]
	mounts: "/run": {tmpfs: "1MiB"}
	resources: memory: "128MiB"
}
END

#: swap space, and zswap before it
fallocate -l 600M /root/swap
chmod 0600 /root/swap
mkswap -q /root/swap
swapon /root/swap
echo Y >/sys/module/zswap/parameters/enabled
grep Y /sys/module/zswap/parameters/enabled
echo 200M >/sys/fs/cgroup/system.slice/memory.reclaim || true # less than was asked for
sed -n '/^Zswap/p; /^Swap/p' /proc/meminfo
test "$(sed -n 's/^Zswapped: *\([0-9]*\) kB/\1/p' /proc/meminfo)" -gt 0

#: a container that takes more than its bound is ended
code=0
sbx run --memory 64MiB -- tail /dev/zero >/tmp/said 2>&1 || code=$?
cat /tmp/said
test "$code" = 137

#: a machine's command that takes more than there is is ended
udevadm settle
code=0
sbx run -b kvm --memory 300MiB -- tail /dev/zero >/tmp/said 2>&1 || code=$?
cat /tmp/said
test "$code" = 137

#: what a container holds stays in memory, whatever the kernel reclaims
sbx up held.cue
scope=$(find /sys/fs/cgroup/machine.slice -maxdepth 1 -type d -name '*held*')
echo 100M >"$scope/memory.reclaim" || true
find "$scope" -name memory.swap.current -exec grep -H . {} +
find "$scope" -name memory.stat -exec grep -E '^(zswap|zswapped|anon) ' {} +
test "$(cat "$scope/memory.swap.current")" = 0
sbx down held
