package runtime_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/guestkernel"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime"
)

// machineOptions are those of newRuntime, for a test to spoil one.
func machineOptions(t testing.TB) runtime.Options {
	t.Helper()
	kernel, modules := guestkernel.Get(t)
	return runtime.Options{
		Init:    program(t, "sbx-init"),
		Accel:   runtime.AccelTCG,
		Kernel:  kernel,
		Modules: modules,
	}
}

// upFails starts the plain machine, which must not work, and checks that the
// error says why and that nothing is left of the machine.
func upFails(t *testing.T, o runtime.Options, want ...string) {
	t.Helper()
	r := runtime.New(o)
	defer r.Close()
	_, err := r.Up(t.Context(), compile(t, "plain.cue"))
	if err == nil {
		t.Fatal("the machine came up")
	}
	for _, part := range want {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q, want one with %q", err, part)
		}
	}
	if list, err := r.List(); err != nil || len(list) != 0 {
		t.Errorf("left in libvirt: %v, %v", list, err)
	}
	dir := o.StateDir
	if dir == "" {
		dir = "/var/lib/sbx"
	}
	if _, err := os.Stat(filepath.Join(dir, "plain")); !os.IsNotExist(err) {
		t.Errorf("left on disk: %v", err)
	}
}

func TestMachineWithATruncatedKernel(t *testing.T) {
	testhost.Need(t)
	o := machineOptions(t)
	whole, err := os.ReadFile(o.Kernel)
	if err != nil {
		t.Fatal(err)
	}
	o.Kernel = filepath.Join(t.TempDir(), "vmlinuz")
	if err := os.WriteFile(o.Kernel, whole[:len(whole)/3], 0o644); err != nil {
		t.Fatal(err)
	}
	upFails(t, o, o.Kernel, "cut short")
}

func TestMachineWithoutItsModules(t *testing.T) {
	testhost.Need(t)
	o := machineOptions(t)
	whole := o.Modules
	o.Modules = t.TempDir()
	upFails(t, o, o.Modules, "depmod")

	// A tree that has lost 9p: the path that needs it is named.
	for _, name := range []string{"modules.dep", "modules.builtin"} {
		text, err := os.ReadFile(filepath.Join(whole, name))
		if err != nil {
			t.Fatal(err)
		}
		var kept []string
		for _, line := range strings.Split(string(text), "\n") {
			if !strings.HasPrefix(line, "kernel/fs/9p/") {
				kept = append(kept, line)
			}
		}
		if err := os.WriteFile(filepath.Join(o.Modules, name), []byte(strings.Join(kept, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(whole, "kernel"), filepath.Join(o.Modules, "kernel")); err != nil {
		t.Fatal(err)
	}
	upFails(t, o, "the host path /usr needs", "9p")

	// A tree that cannot be read.
	o.Modules = t.TempDir()
	if err := os.Mkdir(filepath.Join(o.Modules, "modules.dep"), 0o755); err != nil {
		t.Fatal(err)
	}
	upFails(t, o, o.Modules, "is a directory")
}

func TestMachineOnAFullDisk(t *testing.T) {
	testhost.Need(t)
	o := machineOptions(t)
	o.StateDir = sharedDir(t)
	if err := unix.Mount("tmpfs", o.StateDir, "tmpfs", 0, "size=16m,mode=0755"); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(o.StateDir, unix.MNT_DETACH)
	upFails(t, o, "no space left on device")
	left, err := filepath.Glob(filepath.Join(o.StateDir, ".cache/*/*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left in the cache: %v, %v", left, err)
	}
}

func TestMachineThatNeverReports(t *testing.T) {
	testhost.Need(t)
	o := machineOptions(t)
	o.AnswerLimit = 8 * time.Second
	o.Init = silentInit(t, "")
	start := time.Now()
	upFails(t, o, "did not answer", "8s")
	if took := time.Since(start); took > time.Minute {
		t.Errorf("the bound of 8s took %v", took)
	}
}

func TestMachineWhoseFirstProcessEnds(t *testing.T) {
	testhost.Need(t)
	o := machineOptions(t)
	o.Init = silentInit(t, "-X main.ends=yes")
	upFails(t, o, "did not answer")
}

// silentInit builds internal/silent.
func silentInit(t *testing.T, flags string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "silent")
	build := exec.Command("go", "build", "-ldflags", flags, "-o", bin, "../internal/silent")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}
