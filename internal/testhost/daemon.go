package testhost

import (
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// KillLibvirtd ends the host's libvirtd as a crash would (SIGKILL) and waits
// until the one that the host starts in its place answers.
func KillLibvirtd(t testing.TB) {
	t.Helper()
	old := libvirtdPid(t)
	if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
		t.Fatalf("kill libvirtd: %v", err)
	}
	WaitFor(t, "the next libvirtd", 3*time.Minute, func() bool {
		data, err := os.ReadFile(pidFile)
		if err != nil || strings.TrimSpace(string(data)) == strconv.Itoa(old) {
			return false
		}
		c, err := net.Dial("unix", Socket)
		if err != nil {
			return false
		}
		return c.Close() == nil
	})
}

// pidFile is libvirtd's own.
const pidFile = "/run/libvirtd.pid"

func libvirtdPid(t testing.TB) int {
	t.Helper()
	data, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}
