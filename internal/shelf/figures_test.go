//go:build services

package shelf

import (
	"os/exec"
	"strings"
	"testing"
)

// The figures of docs/shelf.md are what systemd says of the units as they are installed.
func TestFigures(t *testing.T) {
	for name, f := range figures {
		out, err := exec.Command("systemd-analyze", "security", "--offline=yes", "/usr/lib/systemd/system/"+f.unit+".service").CombinedOutput()
		if err != nil || !strings.Contains(string(out), "service: "+f.exposure+" ") {
			t.Errorf("%s: want %s: %v\n%s", name, f, err, out)
		}
	}
}
