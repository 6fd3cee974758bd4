package runtime_test

import (
	"bytes"
	"fmt"
	goruntime "runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/testhost"
)

// nestedGroups mounts the control groups in namespaces of its own and says what of
// them it could change.
const nestedGroups = `unshare --map-root-user --mount --cgroup /bin/sh -c '
for kind in "cgroup2" "cgroup -o pids" "cgroup -o memory"; do
	mount -t $kind none /dev/shm 2>/dev/null || continue
	find /dev/shm -maxdepth 1 -writable | sed "s/^/writable: /"
	mkdir /dev/shm/own 2>/dev/null && echo "made: a group of $kind"
	umount /dev/shm
done
echo done'`

// ownSandbox runs a program in a sandbox that bubblewrap makes.
const ownSandbox = `bwrap --unshare-all --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64 \
	--tmpfs /tmp --dev /dev /bin/sh -c 'ls /; ls -d /etc' 2>&1`

// A program that has sandboxes of its own makes them where its profile says so, as root
// and as another user; elsewhere it is refused (TestLimits).
func TestNestedSandboxes(t *testing.T) {
	testhost.Need(t)
	r := newRuntime(t)
	up(t, r, compile(t, "nested.cue", "name=bubbles"))
	client, err := r.Attach(t.Context(), "bubbles")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, user := range []string{"0", "1000"} {
		var said bytes.Buffer
		_, err = client.Exec(t.Context(), channel.Command{User: user, Argv: []string{"/bin/sh", "-c", ownSandbox}, Env: []string{"LC_ALL=C.UTF-8"}}, channel.Stdio{Stdout: &said, Stderr: &said})
		if want := "bin\ndev\nlib\nlib64\ntmp\nusr\nls: cannot access '/etc': No such file or directory\n"; err != nil || said.String() != want {
			t.Errorf("as %s: %v, %q", user, err, &said)
		}
	}
}

// Where a profile opens the kernel's keys, a command has a session keyring of its own,
// and neither libvirt's nor another command's: there, anybody's keys could be read.
func TestKeyringsAreApart(t *testing.T) {
	testhost.Need(t)
	r := newRuntime(t)
	up(t, r, compile(t, "nested.cue", "name=keys"))
	client, err := r.Attach(t.Context(), "keys")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	number := map[string]int{"amd64": 250, "arm64": 219}[goruntime.GOARCH] // keyctl(2)
	session := fmt.Sprintf("print syscall(%d, %d, %d, 0)", number, unix.KEYCTL_GET_KEYRING_ID, unix.KEY_SPEC_SESSION_KEYRING)
	seen := map[string]bool{}
	for range 2 {
		var said bytes.Buffer
		if _, err := client.Exec(t.Context(), channel.Command{Argv: []string{"/usr/bin/perl", "-e", session}}, channel.Stdio{Stdout: &said, Stderr: &said}); err != nil {
			t.Fatal(err)
		}
		id, err := strconv.Atoi(said.String())
		if err != nil || id <= 0 || seen[said.String()] {
			t.Errorf("the session keyring is %q (%v), after %v", &said, err, seen)
		}
		seen[said.String()] = true
	}
}

// Who may mount control groups inside, because the profile lets it make namespaces,
// finds the host's: no limit can be lifted and no group made. Its name can be used
// again afterwards.
func TestGroupsAreTheHosts(t *testing.T) {
	testhost.Need(t)
	r := newRuntime(t)
	for range 2 {
		up(t, r, compile(t, "nested.cue"))
		client, err := r.Attach(t.Context(), "nested")
		if err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		_, err = client.Exec(t.Context(), channel.Command{Argv: []string{"/bin/sh", "-c", nestedGroups}}, channel.Stdio{Stdout: &said, Stderr: &said})
		client.Close()
		if err != nil || strings.TrimSpace(said.String()) != "done" {
			t.Errorf("%v\n%s", err, &said)
		}
		if _, err := r.Down(t.Context(), "nested"); err != nil {
			t.Fatal(err)
		}
	}
}
