package runtime_test

import (
	"bytes"
	"strings"
	"testing"

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
