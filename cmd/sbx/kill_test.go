package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/internal/testhost"
)

// killedProfile has everything that up makes: a network, a filter, a folder, a
// process that passes a published port on.
const killedProfile = `package killed

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "killed"
	backend: "lxc"
	run: {
		argv: ["/usr/bin/sleep", "1000"]
		ready: file: "/usr"
	}
	expose: ["/usr"]
	mounts: "/etc/motd": file: "x"
	network: {
		attach: "killed"
		create: {mode: "isolated", address: ["10.86.0.1/24"]}
		address: "10.86.0.2/24"
		allow: [{in: tcp: [80]}]
		publish: [{tcp: 18999, to: 80}]
	}
}
`

// sbx is the command as a process of its own, as it is shipped: of a process that
// is started many times, the race detector would take most. The scripts' has it.
func sbx(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	if err := install(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(installation, "sbx"), args...)
	cmd.Env = append(os.Environ(), "SBX_INIT="+filepath.Join(installation, "sbx-init"))
	return cmd
}

func mustSbx(t *testing.T, args ...string) string {
	t.Helper()
	out, err := sbx(t, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("sbx %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// steps are what can be seen of an up under way, in its order.
var steps = []struct {
	name string
	seen func() bool
}{
	{"as soon as it runs", func() bool { return true }},
	{"the domain is defined", virshKnows("dominfo", "killed")},
	{"the network is defined", virshKnows("net-info", "killed")},
	{"the filter is defined", virshKnows("nwfilter-dumpxml", "sbx-killed")},
	{"its folder is there", isThere("/var/lib/sbx/killed")},
	{"its files are there", isThere("/var/lib/sbx/killed/sbx/init")},
	{"its channel is there", isThere("/var/lib/sbx/killed/channel")},
	{"its interface is there", func() bool { links, _ := filepath.Glob("/sys/class/net/sbx*/brport"); return len(links) > 0 }},
	{"the domain runs", func() bool {
		out, _ := exec.Command("virsh", "-q", "-c", "lxc:///system", "domstate", "killed").Output()
		return strings.TrimSpace(string(out)) == "running"
	}},
	{"its port is published", func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:18999")
		return err == nil && c.Close() == nil
	}},
}

func virshKnows(args ...string) func() bool {
	return func() bool {
		return exec.Command("virsh", append([]string{"-c", "lxc:///system"}, args...)...).Run() == nil
	}
}

func isThere(path string) func() bool {
	return func() bool { _, err := os.Lstat(path); return err == nil }
}

// TestKilledUp kills an up at every step. The next up and down must leave
// nothing; so must the next down alone.
func TestKilledUp(t *testing.T) {
	testhost.Need(t)
	profile := filepath.Join(t.TempDir(), "killed.cue")
	if err := os.WriteFile(profile, []byte(killedProfile), 0o644); err != nil {
		t.Fatal(err)
	}
	mustSbx(t, "up", profile) // the first one makes chains that libvirt keeps
	mustSbx(t, "down", "killed")
	before := traces(t)
	for i, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			killWhen(t, step.seen, "up", profile)
			if i%2 == 0 {
				mustSbx(t, "up", profile)
			}
			mustSbx(t, "down", "killed")
			if after := traces(t); after != before {
				t.Errorf("something is left:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
}

// TestKilledDown kills a down after more and more time.
func TestKilledDown(t *testing.T) {
	testhost.Need(t)
	profile := filepath.Join(t.TempDir(), "killed.cue")
	if err := os.WriteFile(profile, []byte(killedProfile), 0o644); err != nil {
		t.Fatal(err)
	}
	before := traces(t)
	for _, after := range []time.Duration{30 * time.Millisecond, 200 * time.Millisecond, 600 * time.Millisecond} {
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			mustSbx(t, "up", profile)
			began := time.Now()
			killWhen(t, func() bool { return time.Since(began) > after }, "down", "killed")
			mustSbx(t, "down", "killed")
			if after := traces(t); after != before {
				t.Errorf("something is left:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
}

// killWhen starts sbx and ends it with SIGKILL as soon as seen holds.
func killWhen(t *testing.T, seen func() bool, args ...string) {
	t.Helper()
	cmd := sbx(t, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	testhost.WaitFor(t, "the step", 10*time.Minute, seen)
	cmd.Process.Kill()
	cmd.Wait() // killed, or faster than we were
}

// traces lists all that sbx could leave on the host, but for the lock files and
// what belongs to nobody.
func traces(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, argv := range [][]string{
		{"virsh", "-q", "-c", "lxc:///system", "list", "--all", "--name"},
		{"virsh", "-q", "-c", "lxc:///system", "net-list", "--all", "--name"},
		{"virsh", "-q", "-c", "lxc:///system", "nwfilter-list"},
		{"virsh", "-q", "-c", "lxc:///system", "nwfilter-binding-list"},
		{"find", "/var/lib/sbx", "-maxdepth", "1", "-not", "-name", ".lock"},
		{"find", "/sys/fs/cgroup", "-type", "d", "-name", "*.libvirt-lxc"},
		{"findmnt", "-n", "-o", "TARGET"},
		{"ls", "/sys/class/net"},
		{"sh", "-c", "ss -Hltn | grep 18999 || true"},
		{"sh", "-c", "{ ebtables-save; iptables-save; ip6tables-save; } | grep -i sbx || true"},
	} {
		out, err := exec.Command(argv[0], argv[1:]...).Output()
		if err != nil {
			t.Fatalf("%v: %v", argv, err)
		}
		all.Write(out)
	}
	return all.String()
}
