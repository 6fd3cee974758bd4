package qemu

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/sbx-dev/sbx/internal/arch"
)

// Identify tells the QEMU of an architecture on this host from every other, and this
// host's kernel and processor from those of another one or of another day.
func Identify(a arch.Arch) (string, error) {
	program, err := exec.LookPath(a.QEMU())
	if err != nil {
		return "", err
	}
	info, err := os.Stat(program)
	if err != nil {
		return "", err
	}
	stat := info.Sys().(*syscall.Stat_t)
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "", err
	}
	processor, err := describeProcessor("/proc/cpuinfo")
	if err != nil {
		return "", err
	}
	return fmt.Sprintln(program, stat.Dev, stat.Ino, stat.Size, stat.Mtim, stat.Ctim, string(release), processor), nil
}

// describeProcessor is what proc(5) says of the first processor, but for its clocks,
// which are others each time.
func describeProcessor(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	first, _, _ := strings.Cut(string(text), "\n\n")
	var kept strings.Builder
	for line := range strings.Lines(first) {
		if name := strings.ToLower(line); !strings.HasPrefix(name, "cpu mhz") && !strings.HasPrefix(name, "bogomips") {
			kept.WriteString(line)
		}
	}
	return kept.String(), nil
}
