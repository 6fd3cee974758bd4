package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/guestkernel"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime"
)

// plainID is the user and group of a person who is not root, whom the test host
// gets for the tests.
const plainID = 4711

// installation is where everybody on the test host can read and execute what a
// run of sbx takes.
const installation = "/srv/sbx"

// install puts sbx, as it is shipped, and sbx-init there, and makes the plain user
// with a home folder. All of it goes with the test host.
var install = sync.OnceValue(func() error {
	bin, err := guestInit()
	if err != nil {
		return err
	}
	for _, dir := range []string{installation, home, filepath.Join(installation, "kernel")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	for _, argv := range [][]string{
		{"go", "build", "-trimpath", "-tags", "libvirt_dlopen", "-o", installation + "/sbx", "."}, // as make build has compiled it
		{"install", "-m", "0755", bin, installation + "/sbx-init"},
	} {
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w: %s", argv, err, out)
		}
	}
	for file, line := range map[string]string{
		"/etc/passwd": fmt.Sprintf("plain:x:%d:%d::%s:/bin/sh\n", plainID, plainID, home),
		"/etc/group":  fmt.Sprintf("plain:x:%d:\n", plainID),
	} {
		if err := appendTo(file, line); err != nil {
			return err
		}
	}
	return os.Chown(home, plainID, plainID)
})

const home = "/srv/plain"

func appendTo(file, line string) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(line)
	return err
}

// installed is `sbx run -b kvm` of that installation, as start makes its process.
func installed(t testing.TB, environ []string, start func(cmd *exec.Cmd)) walled {
	t.Helper()
	testhost.Need(t)
	if err := install(); err != nil {
		t.Fatal(err)
	}
	environ = append(environ, "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
	environ = append(environ, placeKernel(t)...)
	return walled{
		backend: "kvm",
		args:    []string{"run", "-b", "kvm"},
		start: func(args []string) *exec.Cmd {
			cmd := exec.Command(filepath.Join(installation, "sbx"), args...)
			cmd.Dir, cmd.Env = "/", environ
			start(cmd)
			return cmd
		},
	}
}

// placeKernel puts the guests' kernel where everybody may read it, for the length
// of the test, and gives the variables that name it.
func placeKernel(t testing.TB) []string {
	t.Helper()
	kernel, modules := guestkernel.Get(t)
	place := filepath.Join(installation, "kernel")
	base := commonFolder(kernel, modules)
	if err := unix.Mount(base, place, "", unix.MS_BIND, ""); err != nil {
		t.Fatalf("mount %s on %s: %v", base, place, err)
	}
	t.Cleanup(func() { unix.Unmount(place, unix.MNT_DETACH) })
	return []string{"SBX_ACCEL=tcg", "SBX_KERNEL=" + place + strings.TrimPrefix(kernel, base), "SBX_MODULES=" + place + strings.TrimPrefix(modules, base)}
}

// commonFolder is the innermost folder that holds both.
func commonFolder(a, b string) string {
	for dir := filepath.Dir(a); ; dir = filepath.Dir(dir) {
		if strings.HasPrefix(b, dir+"/") {
			return dir
		}
	}
}

// plainUser is a person who is not root.
func plainUser(t testing.TB) walled {
	b := installed(t, []string{"HOME=" + home}, func(cmd *exec.Cmd) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: plainID, Gid: plainID}}
	})
	b.state, b.uid = filepath.Join(home, ".local/state/sbx"), plainID
	return b
}

// lonelyRoot is root where no libvirtd runs: in a mount namespace without its
// socket, and under a umask that keeps all to root, whom QEMU does not run as.
func lonelyRoot(t testing.TB) walled {
	b := installed(t, []string{"HOME=/root"}, func(cmd *exec.Cmd) {
		hide := []string{"unshare", "--mount", "sh", "-c", `umask 077 && mount -t tmpfs none /run/libvirt && exec "$@"`, "sh"}
		cmd.Path, cmd.Args = "/usr/bin/unshare", append(append(hide, cmd.Path), cmd.Args[1:]...)
	})
	b.state = "/var/lib/sbx"
	return b
}

// carelessUser is a person whose umask keeps nothing from anybody.
func carelessUser(t testing.TB) walled {
	b := plainUser(t)
	start := b.start
	b.start = func(args []string) *exec.Cmd {
		cmd := start(args)
		cmd.Path, cmd.Args = "/bin/sh", append([]string{"sh", "-c", `umask 000 && exec "$@"`, "sh", cmd.Path}, cmd.Args[1:]...)
		return cmd
	}
	return b
}

// TestWithoutLibvirtd tries `sbx run` by libvirt's embedded driver. Only the
// first run asks QEMU what it can do.
func TestWithoutLibvirtd(t *testing.T) {
	for name, who := range map[string]func(testing.TB) walled{"plain user": carelessUser, "root": lonelyRoot} {
		t.Run(name, func(t *testing.T) {
			b := who(t)
			if got := b.run(t, nil, "--", "true"); got.code != 0 {
				t.Fatalf("the first run: %+v", got)
			}
			known := b.knownOfQEMU(t)
			b.everyEnd(t, ends, nil)
			if after := b.knownOfQEMU(t); after != known {
				t.Errorf("QEMU was asked again; libvirt remembers\n%s\nand did\n%s", after, known)
			}
			b.endsWithItsSbx(t)
			b.outlivesItsSbx(t)
			holdToTable(t, state.Folder(b.state), b.uid)
			if name == "plain user" {
				b.seesWhatItsUserMay(t)
				b.startsFromASavedOne(t)
			}
			b.args = []string{"run", "-b", "lxc"}
			got := b.run(t, nil, "--", "true")
			if got.code != 125 || !strings.Contains(got.stderr, "a machine (--backend kvm) needs neither libvirtd nor root") {
				t.Errorf("a container: %+v", got)
			}
		})
	}
}

// nobodyElseWrites looks at what libvirt, QEMU and sbx have made, whatever the umask.
func (b walled) nobodyElseWrites(t *testing.T) {
	t.Helper()
	seen := 0
	err := filepath.WalkDir(b.state, func(path string, d fs.DirEntry, err error) error {
		var info fs.FileInfo
		if err == nil {
			info, err = d.Info()
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && d.Type()&fs.ModeSymlink == 0 {
			seen++
			if info.Mode().Perm()&0o002 != 0 {
				t.Errorf("%s has the mode %v: everybody can write it", path, info.Mode())
			}
		}
		return err
	})
	if err != nil || seen < 10 {
		t.Errorf("%d files of a machine that runs: %v", seen, err)
	}
}

// endsWithItsSbx kills the sbx of a machine, in which ps and exec work as in any
// other: QEMU, which is not root, ends at once, and the next run removes the rest, also of
// what has run beside another one: the driver's folders 0 and 1 are not the same.
func (b walled) endsWithItsSbx(t *testing.T) {
	t.Helper()
	release := b.holdRoot(t, "0")
	sbx, qemu := b.tied(t)
	release()
	b.nobodyElseWrites(t)
	if got := outcome(t, b.start([]string{"exec", "tied", "--", "sh", "-c", "exit 7"}), nil); got.code != 7 {
		t.Errorf("exec: %+v", got)
	}
	sbx.Process.Kill()
	testhost.WaitFor(t, "the end of QEMU", 5*time.Minute, func() bool { return gone(qemu) })
	sbx.Wait() // it holds what is its own as long
	b.nothingIsLeft(t)
}

// outlivesItsSbx kills the sbx of a machine after what ends QEMU with it, as if that had
// not been there yet: the next run ends QEMU, whichever of the driver's folders it takes.
func (b walled) outlivesItsSbx(t *testing.T) {
	t.Helper()
	release := b.holdRoot(t, "0")
	sbx, qemu := b.tied(t)
	release()
	tethers := tethersOf(t, sbx.Process.Pid)
	for _, pid := range tethers {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	sbx.Process.Kill()
	sbx.Wait()
	if len(tethers) == 0 || gone(qemu) {
		t.Fatalf("processes %v would have ended QEMU, which must go on to be ended later", tethers)
	}
	b.nothingIsLeft(t)
	if !gone(qemu) {
		t.Errorf("%s goes on", qemu)
	}
}

// tethersOf are the processes beside an sbx that end its machine with it.
func tethersOf(t *testing.T, sbx int) (pids []int) {
	t.Helper()
	children, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", sbx))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range children {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // a thread that has ended
		}
		if err != nil {
			t.Fatal(err)
		}
		for field := range strings.FieldsSeq(string(text)) {
			pid, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil && string(line) == "sbx\x00tether\x00" {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// tied is a machine that runs until its sbx ends, and where the kernel tells of its QEMU.
func (b walled) tied(t *testing.T) (sbx *exec.Cmd, qemu string) {
	t.Helper()
	sbx = b.start(append(b.args[:len(b.args):len(b.args)], "--name", "tied", "--", "sh", "-c", "echo started; sleep 1000"))
	out, err := sbx.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := sbx.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		sbx.Process.Kill()
		sbx.Wait()
	})
	if _, err := io.ReadFull(out, make([]byte, len("started\n"))); err != nil {
		t.Fatal(err)
	}
	return sbx, b.machine(t, "tied")
}

// holdRoot is another sbx that uses one of the driver's folders.
func (b walled) holdRoot(t *testing.T, name string) (release func()) {
	t.Helper()
	lock, err := os.OpenFile(filepath.Join(b.state, state.Embed, name, ".lock"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		t.Fatalf("%s: %v", lock.Name(), err)
	}
	t.Cleanup(func() { lock.Close() })
	return func() { lock.Close() }
}

func gone(path string) bool { _, err := os.Stat(path); return err != nil }

// nothingIsLeft has another machine run, after which there is nothing of one before it.
func (b walled) nothingIsLeft(t *testing.T) {
	t.Helper()
	if got := b.run(t, nil, "--", "true"); got != (result{}) {
		t.Errorf("the next run: %+v", got)
	}
	for _, left := range []string{"tied", ".run/*", ".embed/1/run", ".embed/1/lib", ".embed/*/log"} {
		if found, err := filepath.Glob(filepath.Join(b.state, left)); err != nil || len(found) > 0 {
			t.Errorf("left: %v, %v", found, err)
		}
	}
}

// seesWhatItsUserMay tries what only root can make work, and what is said then.
func (b walled) seesWhatItsUserMay(t *testing.T) {
	t.Helper()
	const closed = "/srv/closed"
	if err := os.MkdirAll(closed+"/folder", 0o700); err != nil {
		t.Fatal(err)
	}
	for flag, want := range map[string]string{
		"--expose=" + closed + "/folder": closed + "/folder is exposed, but lies below " + closed + ", which user 4711 may not search: run sbx as root, or chmod o+x " + closed,
		"--tmpfs=/usr/no-such":           "/usr/no-such is to stand in the exposed /usr, but the host has no /usr/no-such",
	} {
		if got := b.run(t, nil, flag, "--", "true"); got.code != 125 || !strings.Contains(got.stderr, want) {
			t.Errorf("%s: %+v", flag, got)
		}
	}
}

// machine is where the kernel tells of the named machine's QEMU. ps must show its
// user, who is not root.
func (b walled) machine(t *testing.T, name string) (proc string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(b.state, ".embed/*/run/qemu", name+".pid"))
	if err != nil || len(files) != 1 {
		t.Fatalf("QEMU's process: %v, %v", files, err)
	}
	pid, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	proc = "/proc/" + strings.TrimSpace(string(pid))
	info, err := os.Stat(proc)
	if err != nil {
		t.Fatal(err)
	}
	user := info.Sys().(*syscall.Stat_t).Uid
	ps := outcome(t, b.start([]string{"ps", "--json"}), nil)
	var list []runtime.Sandbox
	if err := json.Unmarshal([]byte(ps.stdout), &list); err != nil {
		t.Fatalf("%v: %+v", err, ps)
	}
	i := slices.IndexFunc(list, func(s runtime.Sandbox) bool { return s.Name == name })
	if i < 0 || list[i].User == nil || *list[i].User != user || user == 0 {
		t.Errorf("QEMU runs as %d; ps shows %+v", user, list)
	}
	return proc
}

// knownOfQEMU are the files in which libvirt remembers what QEMU can do.
func (b walled) knownOfQEMU(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob(b.state + "/.embed/cache/qemu/capabilities/*.xml")
	if err != nil || len(files) == 0 {
		t.Fatalf("libvirt remembers nothing of QEMU: %v", err)
	}
	var all []string
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprint(file, info.ModTime(), info.Sys().(*syscall.Stat_t).Ino))
	}
	return strings.Join(all, "\n")
}
