package service

import (
	"bytes"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/runtime"
	"github.com/sbx-dev/sbx/schema"
)

// The columns of ps stand below their names, whatever the sandboxes are called.
func TestTablesHaveColumns(t *testing.T) {
	var out bytes.Buffer
	list := []runtime.Sandbox{
		{Name: "a", Measurement: runtime.Measurement{Says: "Processing requests..."}, Backend: schema.LXC, State: "stopped"},
		{Name: "of-a-longer-name", Backend: schema.KVM, State: "crashed\tor\x1b[31m"},
	}
	if err := printSandboxes(&verb.App{Stdout: &out}, list); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	for i, word := range []string{"lxc", "kvm"} {
		if at := strings.Index(lines[0], "BACKEND"); strings.Index(lines[1+i], word) != at {
			t.Errorf("%s does not stand below BACKEND:\n%s", word, &out)
		}
	}
	if at := strings.Index(lines[0], "SAYS"); at < 0 || !strings.HasPrefix(lines[1][at:], "Processing requests...") || lines[2][at:] != "-" {
		t.Errorf("what services say stands in no column of its own:\n%s", &out)
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Errorf("a name speaks to the terminal: %q", &out)
	}
}
