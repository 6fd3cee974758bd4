package runtime_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// A container has the devices of the host's that its profile names, for everyone inside,
// and no way to others.
func TestDevices(t *testing.T) {
	testhost.Need(t)
	r := newRuntime(t)
	b := compile(t, "devices.cue")
	up(t, r, b)
	client, err := r.Attach(t.Context(), "devices")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, attempt := range []struct{ what, user, script, want string }{
		{"what there is", "", "cd /dev; stat -c '%A %t:%T %n' fuse net/tun; ls net", "crw-rw-rw- a:e5 fuse\ncrw-rw-rw- a:c8 net/tun\ntun\n"},
		{"opening them", "", "exec 3<>/dev/fuse 4<>/dev/net/tun && echo open", "open\n"},
		{"what is no file system yet", "", "head -c 1 /dev/fuse 2>&1 | cut -d: -f3", " Operation not permitted\n"},
		{"an interface of its own", "root", "ip tuntap add mode tun name own && ip -o link show own | cut -d: -f2", " own\n"},
		{"a device that is not named", "root", "mknod /dev/loop-control c 10 237 2>&1; cat /dev/loop-control 2>&1", "mknod: /dev/loop-control: Operation not permitted\ncat: /dev/loop-control: No such file or directory\n"},
	} {
		var said bytes.Buffer
		command := channel.Command{Argv: []string{"/bin/sh", "-c", attempt.script}, Env: []string{"LC_ALL=C.UTF-8", "PATH=/usr/sbin:/usr/bin"}, User: attempt.user}
		if _, err := client.Exec(t.Context(), command, channel.Stdio{Stdout: &said, Stderr: &said}); err != nil {
			t.Fatalf("%s: %v", attempt.what, err)
		}
		if got := said.String(); got != attempt.want {
			t.Errorf("%s: %q, want %q", attempt.what, got, attempt.want)
		}
	}
	p, err := r.Plan([]*compiler.Bundle{b}, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Changes) != 0 {
		t.Errorf("as it runs, there is something to change: %+v", p.Changes)
	}
	if p, err = r.Plan([]*compiler.Bundle{compile(t, "devices.cue", "second=/dev/kvm")}, false); err != nil {
		t.Fatal(err)
	}
	text, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "/dev/kvm") || !strings.Contains(string(text), "restart") {
		t.Errorf("the plan for another device is %s", text)
	}
	_, err = r.Up(t.Context(), compile(t, "devices.cue", "second=/dev/video999"))
	if err == nil || fault.Code(err) != diag.NoSource || !strings.Contains(err.Error(), "devices[1]: this host has no such device") {
		t.Errorf("a device that the host has not: got %v", err)
	}
}
