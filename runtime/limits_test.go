package runtime_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// A container has as many processes as its profile allows, and its root has no
// way to allow itself more.
func TestLimits(t *testing.T) {
	testhost.Need(t)
	r := newRuntime(t)
	up(t, r, compile(t, "limits.cue"))
	client, err := r.Attach(t.Context(), "limits")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, attempt := range []struct{ what, script, want string }{
		{"a few processes", "for i in 1 2 3 4 5; do sleep 1 & done; wait; echo done", "done\n"},
		{"the control groups", "ls -A /sys/fs/cgroup", ""},
		{"a group of its own", "mkdir /sys/fs/cgroup/own", "mkdir: cannot create directory ‘/sys/fs/cgroup/own’: Read-only file system\n"},
		{"the control groups, mounted anew", "mount -t cgroup2 cgroup2 /dev/shm", "mount: /dev/shm: permission denied.\n"},
		{"a user namespace, to mount them in", "unshare --map-root-user --mount --cgroup true", "unshare: unshare failed: Operation not permitted\n"},
		{"a sandbox of its own", ownSandbox + " | cut -d, -f1", "bwrap: No permissions to create new namespace\n"},
		{"its own limits", "exec 2>&1; ulimit -n; ulimit -Hn; ulimit -c; ulimit -Hn 700", "500\n600\n0\n/bin/sh: 1: ulimit: error setting limit (Operation not permitted)\n"},
		{"its own settings", "cd /proc/sys; cat net/ipv4/tcp_keepalive_time net/ipv4/tcp_fin_timeout kernel/sem fs/mqueue/msg_max", "999\n31\n250\t32000\t100\t200\n20\n"},
		{"too many processes", "for i in $(seq 30); do sleep 1000 & done; echo done", "/bin/sh: 0: Cannot fork\n"},
	} {
		var said bytes.Buffer
		if _, err := client.Exec(t.Context(), channel.Command{Argv: []string{"/bin/sh", "-c", attempt.script}, Env: []string{"LC_ALL=C.UTF-8"}}, channel.Stdio{Stdout: &said, Stderr: &said}); err != nil {
			t.Fatalf("%s: %v", attempt.what, err)
		}
		if got, _, _ := strings.Cut(said.String(), "       dmesg(1)"); got != attempt.want {
			t.Errorf("%s: %q, want %q", attempt.what, got, attempt.want)
		}
	}
}

// The host gives a container more than libvirt's own limit, where it may, and starts
// nothing that would have less; what the host keeps for all is refused by its name.
func TestLimitsBeyondTheHosts(t *testing.T) {
	testhost.Need(t)
	r := newRuntime(t)
	const files = 1 << 20
	b := compile(t, "limits.cue", "name=beyond", fmt.Sprint("files=", files))
	var now unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &now); err != nil {
		t.Fatal(err)
	}
	now.Max = files
	if err := unix.Prlimit(sleeper(t), unix.RLIMIT_NOFILE, &now, nil); err != nil {
		_, err := r.Up(t.Context(), b)
		if err == nil || !strings.Contains(err.Error(), "resources.ulimits.nofile: it cannot be raised from ") || fault.Code(err) != diag.Limits {
			t.Error(err)
		}
		return
	}
	up(t, r, b)
	client, err := r.Attach(t.Context(), "beyond")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var said bytes.Buffer
	if _, err := client.Exec(t.Context(), channel.Command{Argv: []string{"/bin/sh", "-c", "ulimit -n; ulimit -Hn"}}, channel.Stdio{Stdout: &said, Stderr: &said}); err != nil || said.String() != "500\n1048576\n" {
		t.Errorf("%v, %q", err, &said)
	}
}

// sleeper is a process whose limits nobody misses.
func sleeper(t *testing.T) (pid int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/usr/bin/sleep", "infinity")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() })
	return cmd.Process.Pid
}

// What a container has in memory stays there: beside a limit of memory, it could have
// the host's swap for itself.
func TestMemoryIsNotSwapped(t *testing.T) {
	testhost.Need(t)
	up(t, newRuntime(t), compile(t, "limits.cue"))
	found := 0
	for _, pattern := range []string{"/sys/fs/cgroup/memory/machine*/*limits*/memory.swappiness", "/sys/fs/cgroup/machine*/*limits*/memory.swap.max"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			found++
			if now, err := os.ReadFile(file); err != nil || strings.TrimSpace(string(now)) != "0" {
				t.Errorf("%s: %s, %v", file, now, err)
			}
		}
	}
	if found == 0 {
		t.Error("the container's control group was not found")
	}
}
