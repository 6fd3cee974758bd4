package stage_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/eyes"
	"github.com/sbx-dev/sbx/internal/stage"
)

// Figures of the host's kernel are shown, to be read by everyone; nothing else of its
// file systems is there, nobody writes, and what is mounted on the host's is not shown.
func TestFigures(t *testing.T) {
	dir := host(t)
	st, err := stage.New(filepath.Join(dir, "stage"), reader, stage.Contexts{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close(); stage.Remove(filepath.Join(dir, "stage")) })
	place, err := st.Place("root")
	if err != nil {
		t.Fatal(err)
	}
	defer place.Close()
	for _, which := range []string{"proc", "sys"} {
		if err := place.FiguresAt("/host/"+which, which); err != nil {
			t.Fatal(err)
		}
	}
	if err := place.FiguresAt("/host/dev", "dev"); err == nil {
		t.Error("there are figures of /dev")
	}
	if err := st.Seal(); err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(dir, "stage/root/host")
	read := func(name string) (text []byte) {
		t.Helper()
		err := eyes.Of(reader, reader, func() (err error) { text, err = os.ReadFile(filepath.Join(at, name)); return err })
		if err != nil || len(text) == 0 {
			t.Errorf("%s: %d bytes, %v", name, len(text), err)
		}
		return text
	}
	for _, name := range []string{"proc/stat", "proc/meminfo", "proc/diskstats", "proc/net/dev", "sys/class/net/lo/statistics/rx_bytes", "sys/devices/system/cpu/online"} {
		read(name)
	}
	total := func(text string) string {
		first, _, _ := strings.Cut(text, "\n")
		return first
	}
	whole, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := total(string(read("proc/meminfo"))), total(string(whole)); got != want {
		t.Errorf("it has %q, and the host %q", got, want)
	}
	links, err := os.ReadDir("/sys/class/net")
	if err != nil {
		t.Fatal(err)
	}
	if shown, err := os.ReadDir(at + "/sys/class/net"); err != nil || len(shown) != len(links) {
		t.Errorf("%d interfaces are shown of %d: %v", len(shown), len(links), err)
	}
	for _, name := range []string{"proc/1", "proc/self", "proc/thread-self", "proc/kcore", "proc/cmdline", "proc/sysrq-trigger", "proc/sys/kernel/core_pattern", "proc/net/tcp", "proc/net/unix", "proc/mounts"} {
		if _, err := os.Lstat(filepath.Join(at, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is there: %v", name, err)
		}
	}
	for _, name := range []string{"sys/firmware", "sys/kernel/debug", "sys/kernel/tracing", "sys/kernel/security", "sys/fs/cgroup", "sys/fs/pstore", "sys/devices/virtual/powercap"} {
		if entries, err := os.ReadDir(filepath.Join(at, name)); err == nil && len(entries) > 0 {
			t.Errorf("%s has %v", name, entries)
		}
	}
	for _, name := range []string{"proc/pressure/cpu", "proc/sys/fs/file-nr", "proc/new", "sys/kernel/mm/ksm/run", "sys/class/net/lo/mtu", "sys/firmware/new", "new"} {
		if err := os.WriteFile(filepath.Join(at, name), nil, 0o600); !errors.Is(err, unix.EROFS) && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("root wrote %s: %v", name, err)
		}
	}
	table, err := stage.Mounts()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range table.Below(at) {
		var info unix.Statfs_t
		if err := unix.Statfs(m.Path, &info); err != nil || info.Flags&unix.ST_NOSUID == 0 || info.Flags&unix.ST_NODEV == 0 || info.Flags&unix.ST_RDONLY == 0 {
			t.Errorf("%s is mounted with %#x, %v", m.Path, info.Flags, err)
		}
	}
}
