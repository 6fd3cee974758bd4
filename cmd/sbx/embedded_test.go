package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/guestkernel"
	"github.com/sbx-dev/sbx/internal/testhost"
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
		{"go", "build", "-tags", "libvirt_dlopen", "-o", installation + "/sbx", "."},
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
func installed(t *testing.T, environ []string, start func(cmd *exec.Cmd)) walled {
	t.Helper()
	testhost.Need(t)
	kernel, modules := guestkernel.Get(t)
	if err := install(); err != nil {
		t.Fatal(err)
	}
	place := filepath.Join(installation, "kernel")
	base := commonFolder(kernel, modules)
	if err := unix.Mount(base, place, "", unix.MS_BIND, ""); err != nil {
		t.Fatalf("mount %s on %s: %v", base, place, err)
	}
	t.Cleanup(func() { unix.Unmount(place, unix.MNT_DETACH) })
	environ = append(environ, "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "SBX_ACCEL=tcg",
		"SBX_KERNEL="+place+strings.TrimPrefix(kernel, base), "SBX_MODULES="+place+strings.TrimPrefix(modules, base))
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

// commonFolder is the innermost folder that holds both.
func commonFolder(a, b string) string {
	for dir := filepath.Dir(a); ; dir = filepath.Dir(dir) {
		if strings.HasPrefix(b, dir+"/") {
			return dir
		}
	}
}

// plainUser is a person who is not root.
func plainUser(t *testing.T) walled {
	b := installed(t, []string{"HOME=" + home}, func(cmd *exec.Cmd) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: plainID, Gid: plainID}}
	})
	b.state = filepath.Join(home, ".local/state/sbx")
	return b
}

// lonelyRoot is root where no libvirtd runs: in a mount namespace without its
// socket.
func lonelyRoot(t *testing.T) walled {
	b := installed(t, []string{"HOME=/root"}, func(cmd *exec.Cmd) {
		hide := []string{"unshare", "--mount", "sh", "-c", `mount -t tmpfs none /run/libvirt && exec "$@"`, "sh"}
		cmd.Path, cmd.Args = "/usr/bin/unshare", append(append(hide, cmd.Path), cmd.Args[1:]...)
	})
	b.state = "/var/lib/sbx"
	return b
}

// TestWithoutLibvirtd tries `sbx run` by libvirt's embedded driver. Only the
// first run asks QEMU what it can do.
func TestWithoutLibvirtd(t *testing.T) {
	for name, who := range map[string]func(*testing.T) walled{"plain user": plainUser, "root": lonelyRoot} {
		t.Run(name, func(t *testing.T) {
			b := who(t)
			if got := b.run(t, nil, "--", "true"); got.code != 0 {
				t.Fatalf("the first run: %+v", got)
			}
			known := b.knownOfQEMU(t)
			b.everyEnd(t, nil)
			if after := b.knownOfQEMU(t); after != known {
				t.Errorf("QEMU was asked again; libvirt remembers\n%s\nand did\n%s", after, known)
			}
			b.args = []string{"run", "-b", "lxc"}
			got := b.run(t, nil, "--", "true")
			if got.code != 125 || !strings.Contains(got.stderr, "a machine (--backend kvm) needs neither libvirtd nor root") {
				t.Errorf("a container: %+v", got)
			}
		})
	}
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
