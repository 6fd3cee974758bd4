package runtime

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/internal/arch"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// sbx-init is one for the machine's architecture, beside the host's own.
func TestInitOfAnotherArchitecture(t *testing.T) {
	host, err := arch.Host()
	if err != nil {
		t.Fatal(err)
	}
	other := map[string]string{arch.X86: arch.ARM, arch.ARM: arch.X86}[host.Name]
	init := filepath.Join(t.TempDir(), "sbx-init")
	r := New(Options{StateDir: t.TempDir(), Init: init})
	defer r.Close()
	_, err = r.InitPath(other)
	if fault.Code(err) != diag.NoInit || !strings.Contains(err.Error(), init+"-"+other) {
		t.Errorf("where there is none: %v", err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, init+"-"+other); err != nil {
		t.Fatal(err)
	}
	_, err = r.InitPath(other)
	if fault.Code(err) != diag.NoInit || !strings.Contains(err.Error(), "GOARCH=") {
		t.Errorf("where it is the host's: %v", err)
	}
}
