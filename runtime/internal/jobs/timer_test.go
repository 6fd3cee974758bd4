package jobs

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// fakeSystemctl has of systemd what this package asks of it: the text of the timers that
// it has loaded, and which of them are enabled and started, as files in folders. Where the
// file "fails" holds the first word of an order, that fails.
const fakeSystemctl = `#!/bin/sh
cd "$(dirname "$0")" || exit 1
test "$1" = "$(cat fails)" && exit 1
for unit; do :; done
case "$1" in
daemon-reload) rm -f loaded/*; cp units/* loaded/ 2>/dev/null; true ;;
enable) test -e "loaded/$unit" && touch "enabled/$unit" ;;
restart) test -e "loaded/$unit" && cp "loaded/$unit" "started/$unit" ;;
disable) rm -f "enabled/$unit" "started/$unit" ;;
is-enabled) test -e "enabled/$unit" ;;
is-active) test -e "started/$unit" ;;
*) exit 2 ;;
esac
`

// Wherever a change of the schedule is interrupted, the next one sees that, and systemd
// has the new one in the end.
func TestInstallAfterAnInterruptedOne(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"units", "loaded", "enabled", "started"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("systemctl", fakeSystemctl, 0o755)
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	real := units
	units = filepath.Join(dir, "units")
	t.Cleanup(func() { units = real })
	for _, step := range []string{"disable", "daemon-reload", "enable", "restart"} {
		write("fails", "nothing", 0o644)
		if err := Install("backup", "daily"); err != nil {
			t.Fatal(err)
		}
		if names := Sandboxes(); !slices.Equal(names, []string{"backup"}) {
			t.Errorf("there are timers of %q", names)
		}
		write("fails", step, 0o644)
		_ = Install("backup", "hourly") // to that step
		write("fails", "nothing", 0o644)
		if err := Install("backup", "hourly"); err != nil {
			t.Fatal(err)
		}
		want, err := Text("backup", "hourly")
		if err != nil {
			t.Fatal(err)
		}
		if started, err := os.ReadFile(filepath.Join(dir, "started", unit("backup"))); err != nil || string(started) != want {
			t.Errorf("after %s has failed, the timer is\n%s, want\n%s: %v", step, started, want, err)
		}
	}
	if err := Remove("backup"); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*", unit("backup"))); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
