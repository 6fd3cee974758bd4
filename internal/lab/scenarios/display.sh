# Programs with windows under AppArmor: their screens are seen, in a container and in a machine.
# hosts: bookworm-desktop trixie-desktop

#: install
apt-get install -y /lab/package/sbx_*_amd64.deb
sbx doctor
cat >logo.cue <<'END'
package logo

import "github.com/sbx-dev/sbx/schema"

schema.#Desktop & {
	name:    "logo"
	backend: *"lxc" | "kvm" @tag(backend)
	run: {
		argv: ["/usr/bin/xlogo"]
		user:    "1000"
		workdir: "/"
	}
	display: size: "640x400"
}
END
# A PDF with a black square on its one page.
cat >paper.pdf <<'END'
%PDF-1.1
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 300]/Contents 4 0 R>>endobj
4 0 obj<</Length 18>>stream
50 50 200 200 re f
endstream endobj
trailer<</Root 1 0 R>>
END
# drawn NAME LEAST: waits until so many points of a sandbox's screen are white.
cat >/usr/local/bin/drawn <<'END'
#!/bin/bash
set -u
for try in {1..400}; do
	white=0
	if sbx view --screenshot "$1.png" "$1"; then
		white=$(pngtopnm "$1.png" | ppmhist -noheader -nomap | awk '$1 == 255 && $2 == 255 && $3 == 255 {print $5}')
		test "${white:-0}" -ge "$2" && echo "$white white points" && exit 0
	fi
	sleep 2
done
echo "only ${white:-0} points of $1's screen are white" >&2
exit 1
END
chmod 755 /usr/local/bin/drawn

#: a window in a container is seen
sbx up logo.cue
drawn logo 1000

#: its programs and its X server are confined
for program in xlogo Xtigervnc; do
	pid=$(pgrep -x $program)
	cat /proc/$pid/attr/current
	grep -q enforce /proc/$pid/attr/current
done

#: nothing of it listens on TCP, and nothing was denied that a screen needs
test -z "$(ss -Hltnp | grep -E 'sbx|vnc')"
pid=$(pgrep -x xlogo)
test -z "$(nsenter -n -t "$pid" ss -Hltn)"
dmesg | grep 'apparmor="DENIED".*profile="libvirt-' && exit 1
sbx down logo

#: a container makes a network interface by the host's /dev/net/tun
cat >tunnel.cue <<'END'
package tunnel

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "tunnel"
	backend: "lxc"
	run: argv: ["/usr/bin/sh", "-c", "ip tuntap add mode tun name own && ip -o link show own"]
	expose: ["/usr", "/etc/ld.so.cache"]
	devices: ["/dev/fuse", "/dev/net/tun"]
	capabilities: ["net_admin"]
}
END
sbx run tunnel.cue
sbx run tunnel.cue -- sh -c 'exec 3<>/dev/fuse && stat -c "%A %n" /dev/fuse /dev/net/tun'
dmesg | grep 'apparmor="DENIED".*profile="libvirt-' && exit 1 || true

#: a PDF is shown by the profile that ships
(sbx run --name paper xpdf <paper.pdf) & # as long as its screen is looked at
drawn paper 20000
kill %1
wait %1 || true

#: a window in a machine is seen
sbx up --tag backend=kvm logo.cue
virsh -q dumpxml logo | grep "<domain type='kvm' id="
drawn logo 1000
sbx down logo

#: a PDF is shown in a machine
(sbx run --tag backend=kvm --name paper xpdf <paper.pdf) &
drawn paper 20000
kill %1
wait %1 || true
