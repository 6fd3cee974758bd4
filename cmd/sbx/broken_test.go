package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/internal/arch"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/schema/diag"
)

// broken is a way in which a host or what a person asks of it is wrong.
type broken struct {
	what  string
	code  string
	prep  string // a shell command that makes it so, by root
	args  string // of sbx, as a shell reads them
	plain bool   // by a user who is not root
	says  string // the cause, and what to do
	clear string // a shell command that undoes prep
}

// brokenHosts are ways to break a host; docs/troubleshooting.md says what to do
// about each. The profile "broken" stands in broken.cue, and runs.
var brokenHosts = []broken{
	{what: "no libvirtd", code: diag.NoLibvirt, args: "up --connect 'lxc:///system?socket=/nowhere' broken.cue", says: `cannot connect to .*systemctl start libvirtd`},
	{what: "not root", code: diag.NotRoot, args: "up broken.cue", plain: true, says: `root's.*sudo sbx`},
	{what: "not root, a container", code: diag.NotRoot, args: "run -- true", plain: true, says: `run sbx as root; a machine \(--backend kvm\) needs neither`},
	{what: "no sbx-init", code: diag.NoInit, args: "run -- true", prep: "SBX_INIT=/nowhere", says: `sbx-init /nowhere`},
	{what: "an sbx-init that needs libraries", code: diag.NoInit, args: "run -- true", prep: "SBX_INIT=/bin/sh", says: `CGO_ENABLED=0`},
	{what: "a state folder that is a link", code: diag.StateFolder, prep: "rm -rf " + home + "/.local && mkdir -p " + home + "/.local/state && ln -s /srv " + home + "/.local/state/sbx", args: "run -b kvm -- true", plain: true, says: `is a link`, clear: "rm -rf " + home + "/.local"},
	{what: "a full disk", code: diag.DiskFull, prep: "mkdir -p " + home + "/full && mount -t tmpfs -o size=256k,mode=777 none " + home + "/full; XDG_STATE_HOME=" + home + "/full", args: "run -b kvm -- true", plain: true, says: `no space left on device`, clear: "umount -l " + home + "/full"},
	{what: "a sandbox that is not there", code: diag.NoSandbox, args: "exec nobody -- true", says: `no sandbox nobody: sbx ps`},
	{what: "a name that libvirt has", code: diag.NameTaken, prep: "virsh -q -c lxc:///system define foreign.xml", args: "run --name broken-foreign -- true", says: `sbx down broken-foreign first.*--name`},
	{what: "a service's name that libvirt has", code: diag.NameTaken, args: "up foreign.cue", says: `sbx did not make`},
	{what: "ids that another domain has", code: diag.IDsTaken, args: "up ids.cue", says: `overlap with .* broken-foreign: .*users: base`, clear: "virsh -q -c lxc:///system undefine broken-foreign"},
	{what: "an exposed path that is not there", code: diag.NoSource, args: "run --ro /no/such -- true", says: `/no/such`},
	{what: "a writable folder of somebody else", code: diag.NotReachable, args: "run --rw /usr/share -- true", says: `chown`},
	{what: "a network that is not there", code: diag.NoNetwork, args: "run --network nowhere -- true", says: `no network nowhere: virsh net-list`},
	{what: "a network that does not run", code: diag.NoNetwork, prep: "virsh -q -c lxc:///system net-define resting.xml", args: "run --network broken-resting -- true", says: `net-start broken-resting`, clear: "virsh -q -c lxc:///system net-undefine broken-resting"},
	{what: "a network that libvirt does not filter", code: diag.NotFiltered, prep: "virsh -q -c lxc:///system net-define direct.xml && virsh -q -c lxc:///system net-start broken-direct", args: "run --network broken-direct -- true", says: `without its firewall`, clear: "virsh -q -c lxc:///system net-destroy broken-direct; virsh -q -c lxc:///system net-undefine broken-direct"},
	{what: "a published port that is taken", code: diag.PortTaken, prep: "{ python3 -m http.server --bind 127.0.0.1 8477 >/dev/null 2>&1 & echo $! >port.pid; until python3 -c 'import socket;socket.create_connection((\"127.0.0.1\",8477))' 2>/dev/null; do sleep 0.1; done; }", args: "up port.cue", says: `127.0.0.1:8477: .*address already in use`, clear: "kill $(cat port.pid)"},
	{what: "no virtualisation", code: diag.NoAccel, prep: "SBX_ACCEL=", args: "run -b kvm -- true", says: `--accel tcg`},
	{what: "a kernel that is none", code: diag.NoKernel, args: "run -b kvm --kernel /etc/passwd -- true", says: `/etc/passwd`},
	{what: "a kernel that is not there", code: diag.NoKernel, args: "run -b kvm --kernel /boot/none --modules /none -- true", says: `/boot/none`},
	{what: "a kernel without modules", code: diag.NoKernel, args: "run -b kvm --modules /usr/share -- true", says: `depmod`},
	{what: "a file in the place of a folder", code: diag.NoPlace, args: "run --ro /etc/passwd:/usr/share -- true", says: `a folder, and the other is not`},
	{what: "something below a file", code: diag.NoPlace, args: "run --ro /etc/passwd:/a --ro /usr/share:/a/b -- true", says: `/a/b is to stand below /a, but on this host /etc/passwd is a file`},
	{what: "something below a file, in a machine", code: diag.NoPlace, args: "run -b kvm --ro /etc/passwd:/a --ro /usr/share:/a/b -- true", says: `/a/b is to stand below /a, but on this host /etc/passwd is a file`},
	{what: "the kernel's control surface by a link", code: diag.NoSource, prep: "ln -sfn /proc/sys /srv/broken/control", args: "run --ro /srv/broken/control -- true", says: `kernel's own file system proc`},
	{what: "sbx's own folder by a link", code: diag.NoSource, prep: "mkdir -p /var/lib/sbx/broken-log && ln -sfn /var/lib/sbx/broken-log /srv/broken/own", args: "run --rw /srv/broken/own -- true", says: `sbx's own folder`, clear: "rmdir /var/lib/sbx/broken-log"},
	{what: "a folder that holds sbx's own, to write", code: diag.NoSource, prep: "ln -sfn /var /srv/broken/around", args: "run --rw /srv/broken/around -- true", says: `sbx's own folder`},
	{what: "a bounded folder in sbx's own by a link", code: diag.NoSource, prep: "mkdir -p /var/lib/sbx/broken-log && ln -sfn /var/lib/sbx/broken-log /srv/broken/own", args: "up sized.cue", says: `sbx's own folder`, clear: "rmdir /var/lib/sbx/broken-log"},
	{what: "libvirt's socket by a link", code: diag.NoSource, prep: "ln -sfn /run/libvirt/libvirt-sock /srv/broken/socket", args: "run --ro /srv/broken/socket:/sock -- true", says: `controls the host`},
	{what: "a folder that holds libvirt's sockets by a link", code: diag.NoSource, prep: "ln -sfn /run /srv/broken/sockets", args: "run --ro /srv/broken/sockets:/sockets -- true", says: `controls the host`},
	{what: "a socket that is called a file", code: diag.NoSource, prep: "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"/srv/broken/live.sock\")'", args: "run --ro /srv/broken/live.sock -- true", says: `is a socket, and read-only does not .*sockets: true \(sbx run --socket\)`},
	{what: "a FIFO by a link", code: diag.NoSource, prep: "mkfifo /srv/broken/live && ln -sfn /srv/broken/live /srv/broken/pipe", args: "run --rw /srv/broken/pipe -- true", says: `is a FIFO`},
	{what: "another architecture than the host's", code: diag.OtherArch, prep: "SBX_ACCEL=", args: "up other.cue", says: `this host is not, .*--accel tcg`},
	{what: "libvirt's own folder closed to QEMU", code: diag.NotReachable, prep: "stat -c 'chmod %a /var/lib/libvirt/qemu; chown %u:%g /var/lib/libvirt/qemu' /var/lib/libvirt/qemu >before; chown 0:0 /var/lib/libvirt/qemu; chmod 0750 /var/lib/libvirt/qemu", args: "run -b kvm -- true", says: `take user and group out of /etc/libvirt/qemu.conf`, clear: "sh -x before"},
	{what: "a closed parent, not root", code: diag.NotReachable, prep: "mkdir -m 700 -p /srv/broken/closed && mkdir -p /srv/broken/closed/in", args: "run -b kvm --ro /srv/broken/closed/in -- true", plain: true, says: `may not search: run sbx as root, or chmod o\+x /srv/broken/closed`},
	{what: "a secret that is not there", code: diag.NoSecret, args: "up secret.cue", says: `secrets.key: .*NOT_SET`},
	{what: "more memory than there is", code: diag.Start, args: "run -b kvm --memory 8TiB -- true", says: `cannot start: .*memory`},
	{what: "a command that ends at once", code: diag.Failed, args: "up fails.cue --tag 'argv=echo the reason >&2; exit 3'", says: `(?s)exit code 3.*\| the reason`},
	{what: "a command that is not there", code: diag.Failed, args: "up fails.cue --tag program=/no/such", says: `/no/such does not exist inside.*expose`},
	{what: "a user who is not there", code: diag.Failed, args: "up fails.cue --tag user=nobody-here", says: `"nobody-here" is not in`},
	{what: "a library that is not there", code: diag.Failed, args: "up fails.cue --tag program=/srv/broken/needs", prep: "gcc -shared -o libbroken.so -x c /dev/null && echo 'int main(){return 0;}' | gcc -x c - -o /srv/broken/needs -x none -Wl,--no-as-needed ./libbroken.so", says: `(?s)libbroken.so.*ldd lists`},
	{what: "readiness that never comes", code: diag.Failed, args: "up never.cue", says: `(?s)not (become )?ready`},
	{what: "a schedule without systemd", code: diag.NoTimer, args: "up job.cue", says: `systemd, which does not run on this host: take every out`},
	{what: "a firewall that there is not", code: diag.HostSettings, prep: `mkdir -p /etc/sbx && echo '{"firewall": "iptables"}' >/etc/sbx/host.json`, args: "up broken.cue", says: `firewall is "iptables", and can be "prefer", "nft" or "nwfilter"`, clear: "rm /etc/sbx/host.json"},
	{what: "libvirt of another machine", code: diag.Elsewhere, args: "up --connect lxc+tcp://192.0.2.1/system broken.cue", says: `another machine's libvirt`},
	{what: "a network without libvirtd", code: diag.Embedded, args: "run -b kvm --network default -- true", plain: true, says: `start libvirtd`},
	{what: "a mount in a sandbox's folder", code: diag.MountedOn, prep: installation + "/sbx up broken.cue && " + installation + "/sbx stop broken && mount -t tmpfs none /var/lib/sbx/broken/root && touch /var/lib/sbx/broken/root/keep", args: "down broken", says: `umount`, clear: "test -e /var/lib/sbx/broken/root/keep && umount /var/lib/sbx/broken/root; " + installation + "/sbx down broken"},
}

// notBroken are codes that no row above has, with the reason.
var notBroken = map[string]string{
	diag.Limits:       "TestContainersUnderControlGroupsOfVersion2 has a host of its own for them",
	diag.OtherVersion: "no verb applies a bundle that another sbx has written; programs may (TestBundleOfAnotherVersion)",
	diag.AppArmor:     "it takes a kernel with AppArmor: internal/lab/scenarios/apparmor.sh takes its parser away",
	diag.SELinux:      "it takes a kernel with SELinux: internal/lab/scenarios/selinux.sh gives a machine what its policy closes",
	diag.NotGiven:     "it takes a state folder on a file system with ID-mapped mounts: runtime's TestSocketsBetweenSandboxes mounts one",
	diag.AddressTaken: "testdata/host/together.txtar gives addresses twice, in each way",
	diag.Busy:         "what waits for another sbx waits for as long as that takes, and is told when it is ended",
}

// TestBrokenHosts breaks the host: what is said has the code, the cause and the
// mend, in less time than a person waits.
func TestBrokenHosts(t *testing.T) {
	testhost.Need(t)
	if err := install(); err != nil {
		t.Fatal(err)
	}
	environ := placeKernel(t)
	seen := map[string]bool{}
	work := filepath.Join(home, "broken")
	fillBroken(t, work)
	for _, b := range brokenHosts {
		seen[b.code] = true
		t.Run(b.what, func(t *testing.T) { b.try(t, work, environ) })
	}
	for _, e := range diag.Explanations {
		if diag.OfHost(e.Code) && !seen[e.Code] && notBroken[e.Code] == "" {
			t.Errorf("no host is broken so that it says %s (%s)", e.Code, e.Title)
		}
	}
}

// TestAFolderThatIsClosed: a profile of flags is of no folder, so the current one
// need not be readable, as root's is not for whom su has made another user there.
func TestAFolderThatIsClosed(t *testing.T) {
	testhost.Need(t)
	if err := install(); err != nil {
		t.Fatal(err)
	}
	closed := filepath.Join(home, "closed")
	if err := os.MkdirAll(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("setpriv", "--reuid", fmt.Sprint(plainID), "--regid", fmt.Sprint(plainID), "--clear-groups",
		installation+"/sbx", "run", "-b", "kvm", "--accel", "tcg", "--kernel", "/none", "--modules", "/none", "--", "true")
	cmd.Dir, cmd.Env = closed, []string{"PATH=/usr/bin:/bin", "HOME=" + home}
	if got := outcome(t, cmd, nil); !strings.Contains(got.stderr, diag.NoKernel) {
		t.Errorf("it did not come as far as its kernel: %+v", got)
	}
}

// try breaks the host and runs sbx. A prep that is an assignment, at its end, is
// for sbx's environment.
func (b broken) try(t *testing.T, work string, environ []string) {
	environ = append(slices.Clone(environ), "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME="+home)
	prep := b.prep
	if at := strings.LastIndex(prep, " "); regexp.MustCompile(`^[A-Z_]+=\S*$`).MatchString(prep[at+1:]) {
		environ = append(environ, prep[at+1:])
		prep = strings.TrimSuffix(strings.TrimSpace(prep[:at+1]), ";")
	}
	shell := func(command string) {
		cmd := exec.Command("/bin/sh", "-c", command)
		cmd.Dir, cmd.Env = work, environ
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	if prep != "" {
		shell(prep)
	}
	if b.clear != "" {
		defer shell(b.clear)
	}
	uid := 0
	if b.plain {
		uid = plainID
	}
	cmd := firstCommand(work, "022", uid, b.args)
	cmd.Env = environ
	got := outcome(t, cmd, nil)
	text := strings.ReplaceAll(got.stderr, "\n", " ")
	if want := `error\[` + b.code + `\]: .*` + b.says; got.code == 0 || !regexp.MustCompile(want).MatchString(text) {
		t.Errorf("code %d, want %s, got\n%s", got.code, want, got.stderr)
	}
	t.Logf("%s", got.stderr)
}

// otherArch is an architecture that is not this host's.
func otherArch() string {
	if host, err := arch.Host(); err == nil && host.Name == arch.ARM {
		return arch.X86
	}
	return arch.ARM
}

// fillBroken writes the profiles and documents that the rows name.
func fillBroken(t *testing.T, work string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(work, 0o777), os.MkdirAll("/srv/broken", 0o755)); err != nil {
		t.Fatal(err)
	}
	profile := func(name, body string) string {
		return "package " + name + "\n\nimport \"github.com/sbx-dev/sbx/schema\"\n\nschema.#Profile & {\n\tname: \"broken\"\n\tbackend: \"lxc\"\n" + body + "\n}\n"
	}
	const sleeps = "\trun: {argv: [\"/bin/sleep\", \"1000\"], stop: timeout: \"1s\"}\n\texpose: [\"/usr\"]\n"
	for name, text := range map[string]string{
		"broken.cue":  profile("broken", sleeps),
		"ids.cue":     profile("ids", sleeps+"users: base: 65536*9"),
		"foreign.cue": strings.Replace(profile("foreign", sleeps), `"broken"`, `"broken-foreign"`, 1),
		"secret.cue":  profile("secret", sleeps+"secrets: key: env: \"NOT_SET\""),
		"job.cue":     profile("job", sleeps+`every: "daily"`),
		"sized.cue":   profile("sized", sleeps+`mounts: "/own": {host: "/srv/broken/own/disk", writable: true, size: "16MiB"}`),
		"never.cue":   profile("never", "\trun: {argv: [\"/bin/sleep\", \"1000\"], ready: {tcp: 80, timeout: \"1s\"}, stop: timeout: \"1s\"}\n\texpose: [\"/usr\"]\n"),
		"other.cue":   strings.Replace(profile("other", sleeps+`machine: arch: "`+otherArch()+`"`), `"lxc"`, `"kvm"`, 1),
		"port.cue":    profile("port", sleeps+`network: {attach: "broken", create: {mode: "isolated", address: ["10.99.0.1/24"]}, address: "10.99.0.2/24", allow: [{in: tcp: [80]}], publish: [{tcp: 8477, to: 80, on: "127.0.0.1"}]}`),
		"fails.cue": profile("fails", `
	_argv:    *"exit 1" | string @tag(argv)
	_program: *"/bin/sh" | string @tag(program)
	_user:    *"root" | string @tag(user)
	run: {argv: [_program, "-c", _argv], user: _user}
	expose: ["/usr", "/etc/passwd", "/etc/group"]
	mounts: "/srv/broken": host: "/srv/broken"`),
		"foreign.xml": `<domain type="lxc"><name>broken-foreign</name><memory>65536</memory><os><type>exe</type><init>/bin/sh</init></os>
			<idmap><uid start="0" target="589830" count="10"/><gid start="0" target="589830" count="10"/></idmap></domain>`,
		"resting.xml": `<network><name>broken-resting</name><ip address="10.98.0.1" netmask="255.255.255.0"/></network>`,
		"direct.xml":  `<network><name>broken-direct</name><forward mode="bridge"><interface dev="lo"/></forward></network>`,
	} {
		if err := os.WriteFile(filepath.Join(work, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
