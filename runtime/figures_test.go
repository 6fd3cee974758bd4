package runtime_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/testhost"
)

// A container sees the figures of the host's that its profile names, as any user; root
// inside changes nothing by them, also with the capabilities for it, and gets no further
// into the host's /proc and /sys.
func TestFigures(t *testing.T) {
	testhost.Need(t)
	r := newRuntime(t)
	b := compile(t, "figures.cue")
	up(t, r, b)
	client, err := r.Attach(t.Context(), "figures")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	memory, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		t.Fatal(err)
	}
	total, _, _ := strings.Cut(string(memory), "\n")
	links, err := os.ReadDir("/sys/class/net")
	if err != nil {
		t.Fatal(err)
	}
	const closed = `for f in %s; do %s && echo "$f is open"; done 2>/dev/null; echo tried`
	for _, attempt := range []struct{ what, user, script, want string }{
		{"the host's memory", "", "head -n 1 /host/proc/meminfo", total + "\n"},
		{"and not its own", "", "head -n 1 /proc/meminfo | grep -c '" + total + "'", "0\n"},
		{"the host's interfaces", "", "ls /host/sys/class/net | wc -l; ls /sys/class/net", fmt.Sprintf("%d\nlo\n", len(links))},
		{"their traffic", "", "cat /host/sys/class/net/lo/statistics/rx_bytes >/dev/null && grep -c lo: /host/proc/net/dev", "1\n"},
		{"no process", "root", "ls -d /host/proc/[0-9]* /host/proc/self /host/proc/thread-self 2>/dev/null | wc -l", "0\n"},
		{"what is no figure", "root", fmt.Sprintf(closed, "/host/proc/kcore /host/proc/cmdline /host/proc/sysrq-trigger /host/proc/sys/kernel/core_pattern /host/proc/net/tcp /host/proc/keys", `test -e "$f"`), "tried\n"},
		{"what is hidden in /sys", "root", fmt.Sprintf(closed, "/host/sys/firmware/* /host/sys/kernel/debug/* /host/sys/kernel/security/* /host/sys/fs/cgroup/* /host/sys/devices/virtual/powercap/*", `test -e "$f"`), "tried\n"},
		{"writing", "root", fmt.Sprintf(closed, "/host/proc/stat /host/proc/pressure/cpu /host/proc/sys/fs/file-nr /host/proc/new /host/sys/new /host/sys/class/net/lo/mtu /host/sys/kernel/mm/ksm/run /host/sys/power/state /host/sys/kernel/uevent_helper", `true > "$f"`), "tried\n"},
		{"writing after a remount", "root", fmt.Sprintf(closed, "/host/proc /host/proc/stat /host/sys /host/sys/firmware", `mount -o remount,bind,rw "$f"`), "tried\n"},
		{"looking below", "root", fmt.Sprintf(closed, "/host/proc /host/proc/stat /host/sys /host/sys/firmware", `umount "$f"`), "tried\n"},
		{"another's modes", "root", fmt.Sprintf(closed, "/host/proc /host/proc/stat /host/sys/class/net/lo/mtu", `chmod 666 "$f"`), "tried\n"},
		{"climbing", "root", "cd /host/proc/net && ls -d ../1 ../../1/root ../self 2>/dev/null; cd /host/sys/class/net && ls ../../../../etc 2>/dev/null | grep -c shadow", "0\n"},
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
	if p, err = r.Plan([]*compiler.Bundle{compile(t, "figures.cue", "sys=/host/elsewhere")}, false); err != nil {
		t.Fatal(err)
	}
	if text, err := p.Encode(); err != nil || !strings.Contains(string(text), "/host/elsewhere") || !strings.Contains(string(text), "restart") {
		t.Errorf("the plan for another place is %s, %v", text, err)
	}
}
