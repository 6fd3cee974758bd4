package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/internal/state"
)

// unlike prints what must not be the same in two machines, a line each, and then the time.
const unlike = `od -An -tx1 -N16 /dev/urandom
cat /proc/sys/kernel/random/uuid /proc/sys/kernel/random/boot_id
hostname
grep stack /proc/self/maps
grep vdso /proc/self/maps
ssh-keygen -q -t ed25519 -N "" -C "" -f /tmp/key && cat /tmp/key.pub
date +%s`

// startsFromASavedOne has machines of a kind that nothing else here starts. The first one
// boots, the second one is saved on its way, and all others are restored: none of them
// has anything of another, and what is wrong with the file does not keep them from
// starting.
func (b walled) startsFromASavedOne(t *testing.T) {
	t.Helper()
	saved := func() []string {
		files, err := filepath.Glob(filepath.Join(b.state, state.Cache, "machine", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	run := func(flags ...string) result {
		return b.run(t, nil, slices.Concat(flags, []string{"--tmpfs=/tmp:3MiB", "--", "sh", "-c", unlike})...)
	}
	before := saved()
	seen := map[string]int{}
	for n := range 4 {
		checkUnlike(t, seen, n, run())
		if fresh := len(saved()) - len(before); fresh != min(n, 1) {
			t.Fatalf("after %d runs, %d machines are saved", n+1, fresh)
		}
	}
	image := slices.DeleteFunc(saved(), func(file string) bool { return slices.Contains(before, file) })[0]
	used := modified(t, image)
	checkUnlike(t, seen, 4, run("--cold"))
	if !modified(t, image).Equal(used) {
		t.Error("--cold has used the saved machine")
	}
	for n, spoil := range []func() error{
		func() error { return os.Truncate(image, 20<<20) },
		func() error { return os.Truncate(image, 50) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		got := run()
		const notice = "sbx: the machine starts from nothing, which takes longer: a saved machine cannot be restored: "
		if !strings.HasPrefix(got.stderr, notice) || strings.Count(got.stderr, "\n") != 1 {
			t.Errorf("with a broken file it says %q", got.stderr)
		}
		got.stderr = ""
		checkUnlike(t, seen, 5+2*n, got)
		checkUnlike(t, seen, 6+2*n, run()) // which saves it again
	}
}

// checkUnlike checks that a run is like none that was seen before, but has our time.
func checkUnlike(t *testing.T, seen map[string]int, n int, got result) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(got.stdout, "\n"), "\n")
	if got.code != 0 || got.stderr != "" || len(lines) != 8 {
		t.Fatalf("run %d: %+v", n, got)
	}
	for _, line := range lines[:7] {
		if m, there := seen[line]; there {
			t.Errorf("runs %d and %d have the same %s", m, n, line)
		}
		seen[line] = n
	}
	seconds, err := strconv.ParseInt(lines[7], 10, 64)
	if off := time.Since(time.Unix(seconds, 0)); err != nil || off < -2*time.Second || off > 2*time.Minute {
		t.Errorf("run %d has another time than its host, by %v (%v)", n, off, err)
	}
}

func modified(t *testing.T, file string) time.Time {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return info.ModTime()
}
