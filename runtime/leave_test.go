package runtime_test

import (
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/testhost"
)

const leavingProfile = `package leaving

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "leaving"
	backend: "lxc"
	run: argv: ["/usr/bin/sleep", "infinity"]
	expose: ["/usr"]
}
`

// When a container ends that sbx has told to, libvirt's process for it is in none of the
// groups any more in which libvirtd looks for who is left. Here that process stands still,
// so that it can be looked at.
func TestAnEndFindsNobodyInTheGroup(t *testing.T) {
	testhost.Need(t)
	r := newRuntime(t)
	up(t, r, compileText(t, leavingProfile))
	dom, err := containers(t).LookupDomainByName("leaving")
	if err != nil {
		t.Fatal(err)
	}
	defer dom.Free()
	id, err := dom.GetID()
	if err != nil {
		t.Fatal(err)
	}
	before, own := groupsOf(t, int(id)), groupsOf(t, os.Getpid())
	if err := unix.Kill(int(id), unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		_, err := r.Down(t.Context(), "leaving")
		ended <- err
	}()
	for limit := time.Now().Add(time.Minute); !maps.Equal(groupsOf(t, int(id)), own); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Errorf("after a minute it is in the groups %v, and this process in %v", groupsOf(t, int(id)), own)
			break
		}
	}
	if stat, err := os.ReadFile("/proc/" + strconv.Itoa(int(id)) + "/stat"); err != nil || !strings.Contains(string(stat), ") T ") {
		t.Errorf("it has been ended, which takes it from all groups, and not let go: %s, %v", stat, err)
	}
	if err := unix.Kill(int(id), unix.SIGCONT); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if maps.Equal(before, own) {
		t.Error("it was in this process's groups from the beginning")
	}
	if left, err := filepath.Glob("/sys/fs/cgroup/*/machine*/*leaving*"); len(left) > 0 || err != nil {
		t.Errorf("left: %v, %v", left, err)
	}
}

// groupsOf are a process's control groups, by their controllers.
func groupsOf(t *testing.T, pid int) map[string]string {
	t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	groups := map[string]string{}
	for line := range strings.Lines(string(text)) {
		_, line, _ = strings.Cut(strings.TrimSpace(line), ":")
		of, path, _ := strings.Cut(line, ":")
		groups[of] = path
	}
	return groups
}
