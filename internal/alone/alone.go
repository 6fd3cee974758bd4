// Package alone runs parts of a test in namespaces of their own, as a sandbox's first
// process is: what they do to mounts, networks, names and processes ends with them.
package alone

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// taskVar names the part that this program was started for.
const taskVar = "SBX_TEST_ALONE"

// Main runs a package's tests, or the one of the tasks that Command has started this
// program for, and exits.
func Main(m interface{ Run() int }, tasks map[string]func() error) {
	name, ok := os.LookupEnv(taskVar)
	if !ok {
		os.Exit(m.Run())
	}
	os.Unsetenv(taskVar)
	keepLines()
	if tasks[name] == nil {
		fmt.Fprintf(os.Stderr, "there is no task %q\n", name)
		os.Exit(1)
	}
	if err := tasks[name](); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// keepLines lets a program that counts which of its lines have run (go test -cover)
// write that at its end, whatever root it then has.
func keepLines() {
	const folder = "GOCOVERDIR"
	dir, err := unix.Open(os.Getenv(folder), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err == nil { // else nobody counts
		os.Setenv(folder, fmt.Sprintf("/proc/self/fd/%d", dir))
	}
}

// Command is this program with a task, as the first process of new namespaces of
// every kind but those of users and control groups. It ends with the test. A test
// that may not make them is skipped.
func Command(t testing.TB, task string) *exec.Cmd {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("making namespaces takes root")
	}
	if testing.Short() {
		t.Skip("-short: nothing that is this machine's own, such as namespaces")
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = append(os.Environ(), taskVar+"="+task)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:   unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWNET,
		Unshareflags: unix.CLONE_NEWNS, // with which Go makes all mounts private
		Pdeathsig:    unix.SIGKILL,
	}
	return cmd
}

// Run runs a task to its end, and gives what it printed. One that fails fails the
// test.
func Run(t testing.TB, task string, args ...string) string {
	t.Helper()
	cmd := Command(t, task)
	cmd.Args = append(cmd.Args, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	printed, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", task, err, printed, &stderr)
	}
	return string(printed)
}

// shown are the host's folders that a root of MakeRoot has, where the host has them.
var shown = []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc"}

// MakeRoot gives this process a root in memory at a folder that is there: with the
// host's programs and /etc, read-only, and a /proc, /sys, /dev and /dev/shm as
// libvirt makes them for a container. fill puts in it what else it is to have.
func MakeRoot(dir string, fill func(root string) error) error {
	if err := unix.Mount("root", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
		return err
	}
	for _, path := range shown {
		if err := show(path, filepath.Join(dir, path)); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	for _, m := range []struct{ fstype, at string }{{"proc", "proc"}, {"sysfs", "sys"}, {"tmpfs", "dev"}, {"tmpfs", "dev/shm"}} {
		at := filepath.Join(dir, m.at)
		if err := os.Mkdir(at, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.fstype, at, m.fstype, unix.MS_NOSUID|unix.MS_NOEXEC, ""); err != nil {
			return fmt.Errorf("/%s: %w", m.at, err)
		}
	}
	pts := filepath.Join(dir, "dev/pts")
	if err := os.Mkdir(pts, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("devpts", pts, "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5"); err != nil {
		return fmt.Errorf("/dev/pts: %w", err)
	}
	if err := os.Symlink("pts/ptmx", filepath.Join(dir, "dev/ptmx")); err != nil {
		return err
	}
	if err := unix.Mknod(filepath.Join(dir, "dev/null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil {
		return err
	}
	if err := fill(dir); err != nil {
		return err
	}
	if err := os.Chdir(dir); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return err
	}
	return unix.Unmount(".", unix.MNT_DETACH) // the old root, on top of the new one
}

// show makes a folder of the host, or the link that stands in its place, appear at a
// path.
func show(path, at string) error {
	info, err := os.Lstat(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&os.ModeSymlink != 0 {
		target, err := os.Readlink(path)
		if err != nil {
			return err
		}
		return os.Symlink(target, at)
	}
	if err := os.Mkdir(at, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(path, at, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	return unix.Mount("", at, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
}
