package runtime_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"runtime/metrics"
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
	dir := o.StateDir
	if dir == "" {
		dir = "/var/lib/sbx"
	}
	checkGone(t, r, filepath.Join(dir, "plain"))
}

// checkGone checks that libvirt has no sandbox and the disk not the folder of one.
func checkGone(t *testing.T, r *runtime.Runtime, dir string) {
	t.Helper()
	if list, err := r.List(); err != nil || len(list) != 0 {
		t.Errorf("left in libvirt: %v, %v", list, err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
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
	upFails(t, o, o.Modules, "it is not a file")
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
	o.Init = hostileInit(t, "silence")
	start := time.Now()
	upFails(t, o, "did not answer", "8s")
	if took := time.Since(start); took > 5*time.Minute { // half of what sbx waits by itself
		t.Errorf("the bound of 8s took %v", took)
	}
}

func TestMachineWhoseFirstProcessEnds(t *testing.T) {
	testhost.Need(t)
	o := machineOptions(t)
	o.Init = hostileInit(t, "end")
	upFails(t, o, "did not answer")
}

// TestMachineThatFloodsItsHost has the machine send without end, in each of the
// ways that a machine has: it must be given up within the bound, and have cost no
// memory by then.
func TestMachineThatFloodsItsHost(t *testing.T) {
	testhost.Need(t)
	begun := time.Now()
	t.Run("honest", func(t *testing.T) { up(t, newRuntime(t), compile(t, "plain.cue")) }) // the kernel is unpacked from here on
	limit := max(30*time.Second, 4*time.Since(begun).Round(time.Second))                  // in which a machine boots on this host
	for deed, want := range map[string]string{
		"noise":    "no greeting within 16 MiB",
		"greeting": "not sbx's channel protocol",
		"frames":   "a frame of kind 0 where none may come",
		"status":   fmt.Sprintf("not ready within %v", limit),
	} {
		t.Run(deed, func(t *testing.T) {
			o := machineOptions(t)
			if deed == "status" { // which by itself has no end
				o.AnswerLimit = limit
			}
			o.Init = hostileInit(t, deed)
			most := mostHeap(t)
			upFails(t, o, want)
			if got := most(); got > 64<<20 {
				t.Errorf("the heap grew by %d MiB", got>>20)
			}
		})
	}
}

// mostHeap watches the heap; the result ends that and gives the most bytes by
// which it was larger than at the start.
func mostHeap(t *testing.T) func() uint64 {
	t.Helper()
	heap := func() uint64 {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	goruntime.GC()
	before, most := heap(), uint64(0)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			most = max(most, heap())
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return func() uint64 {
		close(stop)
		<-done
		return most - min(most, before)
	}
}

// hostileInit builds internal/hostile to do the deed.
func hostileInit(t *testing.T, deed string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "hostile")
	build := exec.Command("go", "build", "-ldflags", "-X main.deed="+deed, "-o", bin, "../internal/hostile")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}
