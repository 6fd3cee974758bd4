package figures

import "testing"

// What a process or a setting is, and what is hidden, is not shown.
func TestShown(t *testing.T) {
	for path, want := range map[string]bool{
		"/proc": true, "/proc/stat": true, "/proc/net": true, "/proc/net/dev": true,
		"/proc/1/environ": false, "/proc/self/mem": false, "/proc/net/tcp": false, "/proc/sysrq-trigger": false, "/proc/stat/x": false,
		"/sys": true, "/sys/class/net": true, "/sys/firmware": true, "/sys/firmware/dmi": false, "/sys/kernel/debug/x": false,
	} {
		if got := Shown(path); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}
