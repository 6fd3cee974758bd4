package runtime_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/guestkernel"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime"
	"github.com/sbx-dev/sbx/schema/load"
)

func TestMain(m *testing.M) {
	if run := beside[os.Args[min(1, len(os.Args)-1)]]; run != nil && len(os.Args) == 3 {
		if err := run(context.Background(), os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if len(os.Args) == 3 && os.Args[1] == "keep" { // and so (Options.Keeper)
		r := runtime.New(runtime.Options{})
		if err := r.Keep(context.Background(), os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	testhost.Main(tests{m}, guestkernel.Prepare)
}

// beside are the processes beside a sandbox as which up starts its own program
// (Options.Forwarder, Options.Keeper).
var beside = map[string]func(ctx context.Context, arg string) error{
	"forward": runtime.Forward,
	"guard":   runtime.Guard,
	"keep":    func(ctx context.Context, name string) error { return runtime.New(runtime.Options{}).Keep(ctx, name) },
}

// tests are this package's, and the folder of what they build.
type tests struct{ m *testing.M }

func (t tests) Run() int {
	defer func() { os.RemoveAll(builtIn) }()
	return t.m.Run()
}

// builtIn is the folder in which programs has built; empty where it has not.
var builtIn string

// programsVar is the environment variable that names the folder of programs, where
// they are built already.
const programsVar = "SBX_TEST_PROGRAMS"

// programs builds the static programs that tests hand to sandboxes, once.
var programs = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv(programsVar); dir != "" {
		return dir, nil
	}
	dir, err := os.MkdirTemp("", "sbx-programs-")
	if err != nil {
		return "", err
	}
	builtIn = dir
	for name, pkg := range map[string]string{"sbx-init": "../initramfs/init", "probe": "../internal/probe", "otherhost": "../internal/otherhost"} {
		build := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(dir, name), pkg) // as make build has compiled it
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return string(out), err
		}
	}
	return dir, os.Chmod(dir, 0o755)
})

// program is the path of one of programs.
func program(t testing.TB, name string) string {
	t.Helper()
	dir, err := programs()
	if err != nil {
		t.Fatalf("%v\n%s", err, dir)
	}
	return filepath.Join(dir, name)
}

// newRuntime is a Runtime on the test host, whose machines boot the tests' own
// kernel without hardware virtualisation.
func newRuntime(t testing.TB) *runtime.Runtime {
	t.Helper()
	kernel, modules := guestkernel.Get(t)
	r := runtime.New(runtime.Options{
		Forwarder: []string{os.Args[0], "forward"},
		Init:      program(t, "sbx-init"),
		Accel:     runtime.AccelTCG,
		Kernel:    kernel,
		Modules:   modules,
		Log:       func(line string) { t.Log(line) },
	})
	t.Cleanup(r.Close)
	return r
}

// newKeptRuntime is one with keepers and what it is by default, as systemd starts sbx for a
// run: with no flag of up's.
func newKeptRuntime(t testing.TB) *runtime.Runtime {
	t.Helper()
	r := runtime.New(runtime.Options{Init: program(t, "sbx-init"), Keeper: []string{os.Args[0], "keep"}, Log: func(line string) { t.Log(line) }})
	t.Cleanup(r.Close)
	return r
}

// compile compiles a profile of testdata.
func compile(t testing.TB, file string, tags ...string) *compiler.Bundle {
	t.Helper()
	c := load.Config{Tags: tags}
	profiles, err := c.Load(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	b, err := compiler.Compile(profiles[0], compiler.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// up makes a bundle's sandbox run until the test ends.
func up(t testing.TB, r *runtime.Runtime, b *compiler.Bundle) {
	t.Helper()
	t.Cleanup(func() {
		if _, err := r.Down(t.Context(), b.Index.Name); err != nil {
			t.Errorf("down: %v", err)
		}
	})
	if _, err := r.Up(t.Context(), b); err != nil {
		t.Fatalf("up: %v", err)
	}
}
