package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/internal/testhost"
)

// sbx as `make build` makes it compiles profiles where libvirt is not installed.
func TestCompileWithoutLibvirt(t *testing.T) {
	testhost.Need(t) // for a mount namespace to hide libvirt in
	sbx := filepath.Join(t.TempDir(), "sbx")
	build := exec.Command("go", "build", "-tags", "libvirt_dlopen", "-o", sbx, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	libraries, err := filepath.Glob("/usr/lib/*/libvirt*.so*")
	if err != nil || len(libraries) == 0 {
		t.Fatal("no libvirt libraries to hide", err)
	}
	script := `for library; do mount --bind /dev/null "$library"; done; exec "$SBX" compile apache`
	hidden := exec.Command("unshare", append([]string{"--mount", "sh", "-euc", script, "sh"}, libraries...)...)
	hidden.Env = append(os.Environ(), "SBX="+sbx)
	out, err := hidden.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "-- apache/domain.xml --") {
		t.Errorf("%v\n%s", err, out)
	}
}
