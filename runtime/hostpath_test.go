package runtime_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime"
)

// awkward is a host as people have it: a closed home, file systems mounted where
// they like, a folder to which the profile adds files, a link out of what is
// exposed.
const awkward = `set -e
mkdir -p /srv/home/user/src /srv/tree/disk /srv/tree/kernel /srv/conf/conf.d /srv/own
chmod 0700 /srv/home
echo source > /srv/home/user/src/file
echo single > /srv/home/user/single
mount -t tmpfs none /srv/tree/disk
echo disk > /srv/tree/disk/file
mount -t proc none /srv/tree/kernel
echo there > /srv/conf/conf.d/there.conf
echo theirs > /srv/conf/over
mkdir /srv/conf/over.d
echo theirs > /srv/conf/over.d/file
ln -s ../run/resolved /srv/conf/resolv.conf
mount -t tmpfs none /srv/own
mkdir /srv/own/disk
chown -R OWNER /srv/own
mount -t tmpfs none /srv/own/disk
chmod 1777 /srv/own/disk
`

const awkwardProfile = `package awkward

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "awkward"
	backend: "BACKEND"
	run: argv: ["/usr/bin/sleep", "1000"]
	expose: ["/usr", "/srv/home/user/src", "/srv/home/user/single", "/srv/tree", "/srv/conf"]
	mounts: {
		"/srv/conf/conf.d/mine.conf": file: "mine\n"
		"/srv/conf/resolv.conf": file:      "servers\n"
		"/srv/conf/more/memory": tmpfs:     "1MiB"
		"/srv/conf/usr": host:              "/usr"
		"/srv/conf/over": file:             "ours\n"
		"/srv/conf/over.d": tmpfs:          "1MiB"
		"/srv/tree/disk/mine.conf": file:   "mine\n"
		"/own": {host: "/srv/own", writable: true}
		"/own/made/mine.conf": file:        "mine\n"
		"/own/memory": tmpfs:               "1MiB"
		"/run": tmpfs:                      "1MiB"
		"/run/conf.d/mine.conf": file:      "mine\n"
		"/run/deep/memory": tmpfs:          "1MiB"
		"/run/usr": host:                   "/usr"
		"/run/conf": host:                  "/srv/conf"
		"/run/conf/conf.d/more.conf": file: "more\n"
	}
}
`

// seen is what a sandbox finds on the awkward host, whatever its kind.
var seen = []struct{ what, script, want string }{
	{"a folder in a closed home", "cat /srv/home/user/src/file", "source"},
	{"a file in a closed home", "cat /srv/home/user/single", "single"},
	{"nothing else of that home", "ls /srv/home/user", "single\nsrc"},
	{"what is mounted in an exposed folder", "cat /srv/tree/disk/file", "disk"},
	{"and that is read-only", "echo x > /srv/tree/disk/file || echo refused", "refused"},
	{"nothing of the host's kernel", "ls /srv/tree/kernel", ""},
	{"a file beside those that the host has", "cd /srv/conf/conf.d; echo *; cat *", "mine.conf there.conf\nmine\nthere"},
	{"a file in place of a link that leads nowhere", "cat /srv/conf/resolv.conf", "servers"},
	{"memory in an exposed folder", "echo x > /srv/conf/more/memory/file && cat /srv/conf/more/memory/file", "x"},
	{"a folder in an exposed folder", "test -d /srv/conf/usr/share && echo there", "there"},
	{"the folder around it is as it was", "echo x > /srv/conf/conf.d/new || echo refused", "refused"},
	{"a file over the host's", "cat /srv/conf/over", "ours"},
	{"memory over the host's folder", "ls /srv/conf/over.d; echo x > /srv/conf/over.d/own && cat /srv/conf/over.d/own", "x"},
	{"a file in what is mounted in an exposed folder", "cd /srv/tree/disk; echo *; cat *", "file mine.conf\ndisk\nmine"},
	{"a file in a writable folder", "cat /own/made/mine.conf; echo x > /own/made/mine.conf || echo refused", "mine\nrefused"},
	{"memory in a writable folder", "echo x > /own/memory/file && cat /own/memory/file", "x"},
	{"a file in memory", "cat /run/conf.d/mine.conf", "mine"},
	{"memory in memory", "echo x > /run/deep/memory/file && cat /run/deep/memory/file", "x"},
	{"a folder in memory", "test -d /run/usr/share && echo there", "there"},
	{"a file in a folder in memory", "cd /run/conf/conf.d; echo *; cat *", "more.conf there.conf\nmore\nthere"},
	{"a writable folder", "echo x > /own/file && cat /own/file", "x"},
	{"a new file in it", "rm -f /own/new && echo y > /own/new && cat /own/new", "y"},
	{"what is mounted in it is read-only", "echo x > /own/disk/file || echo refused", "refused"},
}

// What a sandbox sees of the host does not depend on who may search the folders
// above, nor on what is mounted where, and can be added to.
func TestHostPaths(t *testing.T) {
	testhost.Need(t)
	owner := compiler.IDBase("awkward")
	command(t, "sh", "-c", strings.ReplaceAll(awkward, "OWNER", fmt.Sprint(owner)))
	t.Cleanup(func() {
		command(t, "umount", "/srv/tree/disk", "/srv/tree/kernel", "/srv/own/disk", "/srv/own")
	})
	for _, backend := range sandboxes {
		t.Run(backend, func(t *testing.T) {
			b := compileText(t, strings.ReplaceAll(awkwardProfile, "BACKEND", backend))
			r := newRuntime(t)
			up(t, r, b)
			client, err := r.Attach(t.Context(), "awkward")
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			for _, c := range seen {
				var out bytes.Buffer
				exit, err := client.Exec(t.Context(), channel.Command{Argv: []string{"/bin/sh", "-c", c.script}}, channel.Stdio{Stdout: &out, Stderr: io.Discard})
				if got := strings.TrimSpace(out.String()); got != c.want || err != nil {
					t.Errorf("%s: %q, %v, %v", c.what, got, exit, err)
				}
			}
			client.Close() // a machine has one port, by which Down asks it to stop
			if left := mountedFor(t, "awkward"); backend == "lxc" && left != "" {
				t.Errorf("still mounted once it runs:\n%s", left)
			}
			if _, err := r.Down(t.Context(), "awkward"); err != nil {
				t.Fatal(err)
			}
			if left := mountedFor(t, "awkward"); left != "" {
				t.Errorf("still mounted once it is gone:\n%s", left)
			}
			// Whatever made it, and whoever QEMU was: the other kind is to use it.
			var made unix.Stat_t
			if err := unix.Stat("/srv/own/new", &made); err != nil || made.Uid != owner || made.Gid != owner {
				t.Errorf("a new file belongs to %d:%d, want %d (%v)", made.Uid, made.Gid, owner, err)
			}
		})
	}
	if out, err := exec.Command("find", "/srv/conf").Output(); err != nil || strings.Contains(string(out), "mine") {
		t.Errorf("the host's folder now has\n%s, %v", out, err)
	}
}

// A restart takes what stands at a host path by now, however the sandbox was
// started, and in a folder that was put together anew as well.
func TestRestartTakesReplacedFiles(t *testing.T) {
	testhost.Need(t)
	r, b := newRuntime(t), tamperedBundle(t, "replaced")
	up(t, r, b)
	tamper(t, "sed -i s/a/b/ /srv/replaced/file /srv/replaced/conf/there; echo c > /srv/replaced/conf/new")
	if err := r.Restart(t.Context(), "replaced"); err != nil {
		t.Fatal(err)
	}
	client, err := r.Attach(t.Context(), "replaced")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var out bytes.Buffer
	argv := []string{"/usr/bin/cat", "/srv/replaced/file", "/srv/replaced/conf/there", "/srv/replaced/conf/new", "/srv/replaced/conf/mine"}
	if _, err := client.Exec(t.Context(), channel.Command{Argv: argv}, channel.Stdio{Stdout: &out, Stderr: io.Discard}); err != nil || out.String() != "b\nb\nc\nmine" {
		t.Errorf("inside: %q, %v", out.String(), err)
	}
	if found, err := r.Drift([]*compiler.Bundle{b}); len(found) != 0 || err != nil {
		t.Errorf("there is still %v (%v)", found, err)
	}
	if p := planFor(t, r, b); len(p.Changes) != 0 {
		t.Errorf("a plan still has %v", p.Changes)
	}
}

// A machine that is started anew for what stands at a host path by now boots the kernel
// that it was started with, whatever the sbx is told that restarts it.
func TestRestartKeepsTheKernel(t *testing.T) {
	testhost.Need(t)
	const file = "/srv/kept-kernel"
	if err := os.WriteFile(file, []byte("a"), 0o644); err != nil {
		t.Fatal(err)
	}
	up(t, newRuntime(t), compileText(t, `package restarted

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "restarted"
	backend: "kvm"
	run: argv: ["/usr/bin/sleep", "1000"]
	expose: ["/usr", "`+file+`"]
}
`))
	if err := errors.Join(os.WriteFile(file+".new", []byte("b"), 0o644), os.Rename(file+".new", file)); err != nil {
		t.Fatal(err)
	}
	other := runtime.New(runtime.Options{Init: program(t, "sbx-init"), Kernel: "/no/such/kernel", Log: func(line string) { t.Log(line) }})
	t.Cleanup(other.Close)
	if err := other.Restart(t.Context(), "restarted"); err != nil {
		t.Fatal(err)
	}
	client, err := other.Attach(t.Context(), "restarted")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var out bytes.Buffer
	if _, err := client.Exec(t.Context(), channel.Command{Argv: []string{"/usr/bin/cat", file}}, channel.Stdio{Stdout: &out, Stderr: io.Discard}); err != nil || out.String() != "b" {
		t.Errorf("inside: %q, %v", out.String(), err)
	}
}

// mountedFor lists what is mounted for a sandbox.
func mountedFor(t *testing.T, name string) string {
	t.Helper()
	all, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	var found strings.Builder
	for line := range strings.Lines(string(all)) {
		if strings.Contains(line, "/var/lib/sbx/"+name+"/") {
			found.WriteString(line)
		}
	}
	return found.String()
}
