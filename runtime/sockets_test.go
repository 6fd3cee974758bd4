package runtime_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/eyes"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// socketFolder is where sandboxes' sockets are.
const socketFolder = "/var/lib/sbx/.sockets"

// socketProfile is a sandbox with an end of a socket. Its root has the capabilities with
// which files are made, given away and changed.
const socketProfile = `package sockets

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name: %q, backend: "lxc"
	run: {argv: ["/usr/bin/sh", "-c", %q], %s}
	expose: ["/usr"]
	mounts: {"/run": {tmpfs: "1MiB"}, "/who": {file: %q}, %q: socket: %s}
	capabilities: ["chown", "dac_override", "fowner", "setgid", "setuid", "mknod"]
}
`

// serves answers each who connects, as the host's user 4101, and nobody but that one.
const serves = `socat UNIX-LISTEN:/run/made/it.sock,fork,mode=600 SYSTEM:"echo the server" & wait`

const idle = "sleep 100000"

// Two sandboxes speak by a socket that one of them makes, whichever starts first and
// however often the server does, where both say so; with their users as on one host.
// Nobody else comes at it, and who connects changes nothing of it.
func TestSocketsBetweenSandboxes(t *testing.T) {
	testhost.Need(t)
	if err := errors.Join(os.MkdirAll(socketFolder, 0o700), os.Chmod("/var/lib/sbx", 0o711)); err != nil {
		t.Fatal(err)
	}
	// A test host's /var/lib is an overlay, which has no ID-mapped mounts.
	if err := unix.Mount("none", socketFolder, "tmpfs", 0, "mode=0700"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(socketFolder, 0); err != nil {
			t.Error(err)
		}
	})
	said := new(bytes.Buffer)
	r := runtime.New(runtime.Options{Init: program(t, "sbx-init"), Forwarder: []string{os.Args[0], "forward"}, Log: func(line string) { fmt.Fprintln(said, line); t.Log(line) }})
	t.Cleanup(r.Close)
	start := func(name, command, user, at, end string) error {
		said.Reset()
		ready := ""
		if command == serves {
			ready = fmt.Sprintf(`user: %q, ready: file: "/run/made/it.sock"`, user)
		}
		_, err := r.Up(t.Context(), compileText(t, fmt.Sprintf(socketProfile, name, command, ready, name, at, end)))
		return err
	}
	mustStart := func(name, command, user, at, end string) {
		t.Helper()
		if err := start(name, command, user, at, end); err != nil {
			t.Fatal(err)
		}
	}
	inside := func(name, user, script string) (string, int) {
		t.Helper()
		client, err := r.Attach(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		var out bytes.Buffer
		exit, err := client.Exec(t.Context(), channel.Command{User: user, Argv: []string{"/usr/bin/sh", "-c", script}, Env: []string{"PATH=/usr/bin"}, Workdir: "/"}, channel.Stdio{Stdout: &out, Stderr: &out})
		if err != nil {
			t.Fatal(err)
		}
		return out.String(), exit.Code
	}
	const ask = "socat -u UNIX-CONNECT:/run/there/it.sock -"
	answers := func(name, user string, want bool) {
		t.Helper()
		out, code := inside(name, user, ask)
		if got := code == 0 && out == "the server\n"; got != want {
			t.Errorf("%s as %s: %q, %d", name, user, out, code)
		}
	}
	for _, name := range []string{"taker", "stranger", "giver"} {
		t.Cleanup(func() {
			if _, err := r.Down(t.Context(), name); err != nil {
				t.Error(err)
			}
		})
	}

	mustStart("taker", idle, "", "/run/there/it.sock", `{from: "giver"}`)
	if !strings.Contains(said.String(), "nobody answers at its socket it.sock until giver is up") {
		t.Errorf("it says %q", said)
	}
	answers("taker", "4101:4101", false)
	mustStart("giver", serves, "4101:4101", "/run/made/it.sock", `{to: ["taker"]}`)
	answers("taker", "4101:4101", true)
	answers("taker", "4102:4102", false) // whom the socket's mode keeps out, as on one host

	err := start("stranger", idle, "", "/run/there/it.sock", `{from: "giver"}`)
	if fault.Code(err) != diag.NotGiven || !strings.Contains(err.Error(), `add "stranger"`) {
		t.Errorf("one whom it is not given to: %v", err)
	}
	if err := start("stranger", idle, "", "/run/there/other.sock", `{from: "giver"}`); fault.Code(err) != diag.NotGiven {
		t.Errorf("a socket that there is not: %v", err)
	}
	err = eyes.Of(4101, 4101, func() error { _, err := os.Stat(filepath.Join(socketFolder, "giver/it.sock/it.sock")); return err })
	if !errors.Is(err, os.ErrPermission) {
		t.Errorf("the host's users come at it: %v", err)
	}

	attackSocket(t, inside)
	answers("taker", "4101:4101", true)

	if _, err := r.Stop(t.Context(), "giver"); err != nil {
		t.Fatal(err)
	}
	answers("taker", "4101:4101", false)
	mustStart("giver", serves, "4101:4101", "/run/made/it.sock", `{to: ["taker"]}`)
	answers("taker", "4101:4101", true)
	if out, _ := inside("giver", "root", "ls -A /run/made"); out != "it.sock\n" {
		t.Errorf("an earlier run's are there still: %q", out)
	}
	if _, err := r.Down(t.Context(), "giver"); err != nil {
		t.Fatal(err)
	}
	mustStart("giver", serves, "4101:4101", "/run/made/it.sock", `{to: ["taker"]}`)
	answers("taker", "4101:4101", true)

	mustStart("giver", serves, "4101:4101", "/run/made/it.sock", `{to: ["stranger"]}`)
	if !strings.Contains(said.String(), "taker, to which it is not given") {
		t.Errorf("it says %q", said)
	}
	answers("taker", "4101:4101", false)
	mustStart("stranger", idle, "", "/run/there/it.sock", `{from: "giver"}`)
	answers("stranger", "4101:4101", true)

	for _, name := range []string{"giver", "taker", "stranger"} {
		if _, err := r.Down(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := os.ReadDir(socketFolder); err != nil || len(left) > 0 {
		t.Errorf("%v is left: %v", left, err)
	}
}

// attackSocket has root in both sandboxes, with all capabilities over files, try what
// would let one into the other or onto the host.
func attackSocket(t *testing.T, inside func(name, user, script string) (string, int)) {
	t.Helper()
	for _, attempt := range []string{
		"rm /run/there/it.sock", "mv /run/there/it.sock /run/there/x", "ln /run/there/it.sock /run/x",
		"touch /run/there/x", "ln -s /who /run/there/x", "mkfifo /run/there/x", "mknod /run/there/x c 1 3", "mkdir /run/there/x",
		"chmod 666 /run/there/it.sock", "chown 4102 /run/there/it.sock", "touch -d 2000-01-01 /run/there/it.sock",
		"timeout 5 socat UNIX-LISTEN:/run/there/x,unlink-early /dev/null; [ $? = 124 ]", "chmod 777 /run/there", "mount -o remount,rw /run/there", "umount /run/there",
		"rmdir /run/there", "mv /run/there /run/x",
	} {
		if out, code := inside("taker", "root", attempt); code == 0 {
			t.Errorf("root of the client did %q: %s", attempt, out)
		}
	}
	const leaves = `cd /run/made
		ln -s /who link; ln -s ../../../../../../../etc/passwd out; mkfifo pipe; cp /usr/bin/true program; chmod 6755 program; ln -s /run/there/it.sock round
		mknod null c 1 3; mknod disk b 8 0; ./program && echo runs; ls -A; chown 4101 program`
	out, _ := inside("giver", "root", leaves)
	if strings.Contains(out, "runs") || strings.Contains(out, "\nnull\n") || strings.Contains(out, "\ndisk\n") || !strings.Contains(out, "\nprogram\n") {
		t.Errorf("root of the server made there: %s", out)
	}
	for script, want := range map[string]string{
		"cat /run/there/link":                     "taker", // its own file, and not the server's
		"cat /run/there/out 2>/dev/null; true":    "",      // which it does not have
		"/run/there/program 2>/dev/null; echo $?": "126\n", // nothing runs from there
		"stat -c %u:%g /run/there/it.sock":        "4101:4101\n",
		"stat -c %u /run/there/pipe":              "0\n",
	} {
		if out, _ := inside("taker", "root", script); out != want {
			t.Errorf("the client: %q: %q, want %q", script, out, want)
		}
	}
}
