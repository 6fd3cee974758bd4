package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/internal/testhost"
)

// What only reads and writes profiles neither needs libvirt nor waits until it is
// loaded: as `make build` makes sbx.
func TestCompileWithoutLibvirt(t *testing.T) {
	sbx := filepath.Join(t.TempDir(), "sbx")
	build := exec.Command("go", "build", "-tags", "libvirt_dlopen", "-o", sbx, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Run("not loaded", func(t *testing.T) { neverLoads(t, sbx) })
	t.Run("not installed", func(t *testing.T) { notInstalled(t, sbx) })
}

// neverLoads has the dynamic linker say which libraries it loads.
func neverLoads(t *testing.T, sbx string) {
	loads := func(args ...string) bool {
		t.Helper()
		cmd := exec.Command(sbx, args...)
		cmd.Env = append(os.Environ(), "LD_DEBUG=files")
		said, _ := cmd.CombinedOutput() // ps fails where there is no libvirtd, and has loaded it
		if !strings.Contains(string(said), "libc.so") {
			t.Fatalf("%q: the linker does not say what it loads\n%s", args, said)
		}
		return strings.Contains(string(said), "file=libvirt.so")
	}
	for _, verb := range []string{
		"version", "--help", "up --help", "help network", "man", "completion bash", "__complete -- sbx", "schema",
		"compile apache", "vet apache", "export apache", "test apache", "review HEAD", "fmt ../../profiles/apache.cue",
	} {
		if loads(strings.Fields(verb)...) {
			t.Errorf("sbx %s loads libvirt", verb)
		}
	}
	if loads("explain", "apache", "in tcp 203.0.113.5 -> :443") {
		t.Error("sbx explain loads libvirt")
	}
	if loads("init", t.TempDir()) {
		t.Error("sbx init loads libvirt")
	}
	if !loads("ps") {
		t.Error("sbx ps does not load libvirt: this test would not see it")
	}
}

// notInstalled hides libvirt's libraries: profiles are compiled, and a verb that
// needs libvirt says what is missing, of each driver that it asks.
func notInstalled(t *testing.T, sbx string) {
	testhost.Need(t) // for a mount namespace to hide libvirt in
	libraries, err := filepath.Glob("/usr/lib/*/libvirt*.so*")
	if err != nil || len(libraries) == 0 {
		t.Fatal("no libvirt libraries to hide", err)
	}
	without := func(args string) string {
		script := `for library; do mount --bind /dev/null "$library"; done; exec "$SBX" ` + args
		hidden := exec.Command("unshare", append([]string{"--mount", "sh", "-euc", script, "sh"}, libraries...)...)
		hidden.Env = append(os.Environ(), "SBX="+sbx)
		out, _ := hidden.CombinedOutput()
		return string(out)
	}
	if out := without("compile apache"); !strings.Contains(out, "-- apache/domain.xml --") {
		t.Error(out)
	}
	if out := without("doctor"); strings.Count(out, ":///system: libvirt's library cannot be loaded: ") != 2 {
		t.Error(out)
	}
}
