//go:build aarch64

// These tests need an emulator and programs of another architecture than that of
// the machines that all others are made for: make test-aarch64 fetches them.

package runtime_test

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/arch"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/load"
)

// tree is what scripts/arm64-guest has fetched.
func tree(t *testing.T) string {
	t.Helper()
	at := os.Getenv("SBX_ARM64_GUEST")
	if at == "" {
		t.Fatal("SBX_ARM64_GUEST names no folder: use make test-aarch64")
	}
	return at
}

func aarch64Runtime(t *testing.T) *runtime.Runtime {
	t.Helper()
	testhost.Need(t)
	init := filepath.Join(t.TempDir(), "sbx-init")
	build := exec.Command("go", "build", "-o", init+"-"+arch.ARM, "../initramfs/init")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH=arm64")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	kernels, err := filepath.Glob(filepath.Join(tree(t), "boot/vmlinuz-*"))
	if err != nil || len(kernels) != 1 {
		t.Fatalf("kernels: %v, %v", kernels, err)
	}
	_, release, _ := strings.Cut(filepath.Base(kernels[0]), "-")
	r := runtime.New(runtime.Options{
		Init: init, Accel: runtime.AccelTCG, Kernel: kernels[0], Modules: filepath.Join(tree(t), "lib/modules", release),
		Log: func(line string) { t.Log(line) },
	})
	t.Cleanup(r.Close)
	return r
}

func aarch64Profile(t *testing.T) *schema.Profile {
	t.Helper()
	found, err := (&load.Config{Tags: []string{"tree=" + filepath.Join(tree(t), "usr")}}).Load("testdata/aarch64.cue")
	if err != nil {
		t.Fatal(err)
	}
	return found[0]
}

// A command's output and exit code come out of an emulated machine of another
// architecture, and its walls hold there.
func TestAarch64Command(t *testing.T) {
	r := aarch64Runtime(t)
	p := aarch64Profile(t)
	p.Network, p.Run.Ready = nil, nil
	b, err := compiler.Compile(p, compiler.Options{Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	const script = `uname -m; touch /usr/written 2>/dev/null && echo written; echo kept > /srv/data/kept; exit 42`
	var out, errs bytes.Buffer
	exit, err := r.Run(t.Context(), b, channel.Command{Argv: []string{"/bin/bash", "-c", script}, Env: []string{"PATH=/usr/bin:/bin"}, Workdir: "/", User: "root"},
		channel.Stdio{Stdout: &out, Stderr: &errs})
	if err != nil || exit != (channel.Exit{Code: 42}) || out.String() != "aarch64\n" {
		t.Errorf("%+v, %v: %q, %q", exit, err, out.String(), errs.String())
	}
	if kept, err := os.ReadFile("/srv/aarch64/kept"); string(kept) != "kept\n" {
		t.Errorf("the writable folder holds %q, %v", kept, err)
	}
}

// A service there is reached through its filter, a second Up finds nothing to do,
// and nobody has changed anything.
func TestAarch64Service(t *testing.T) {
	r := aarch64Runtime(t)
	b, err := compiler.Compile(aarch64Profile(t), compiler.Options{})
	if err != nil {
		t.Fatal(err)
	}
	up(t, r, b)
	if said, err := os.ReadFile("/srv/aarch64/said"); string(said) != "aarch64\n" {
		t.Errorf("it said %q, %v", said, err)
	}
	// Nothing listens on the port that is open, and its kernel says so.
	if _, err := net.DialTimeout("tcp", "10.83.64.2:7", time.Minute); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("its open port: %v", err)
	}
	if _, err := net.DialTimeout("tcp", "10.83.64.2:9", 3*time.Second); !os.IsTimeout(err) {
		t.Errorf("its closed port: %v", err)
	}
	changes, err := r.Plan([]*compiler.Bundle{b}, false)
	if err != nil || len(changes.Changes) != 0 {
		t.Errorf("a second Up would do %+v, %v", changes, err)
	}
	pressPowerButton(t, "aarch64")
}
