package observe

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/internal/known"
	"github.com/sbx-dev/sbx/schema"
)

// What an observer has looked at holds for it: what somebody changes meanwhile is told by
// the next one, as drift, and is not noted as if sbx had applied it.
func TestFilesAreLookedAtOnce(t *testing.T) {
	folder := state.Folder(t.TempDir())
	file := folder.Path("web", known.Of(schema.LXC).Made[0], "file")
	write := func(text string) {
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	look := func(o *Observer) string {
		print, err := o.filesOf("web", schema.LXC, false)
		if err != nil {
			t.Fatal(err)
		}
		return print
	}
	write("one")
	o := New(folder)
	before := look(o)
	write("two")
	if again := look(o); again != before {
		t.Errorf("it looks again, and finds %s", again)
	}
	if next := look(New(folder)); next == before {
		t.Error("the next observer finds what there was before")
	}
}

// A kernel without any rule, as nft flush ruleset leaves it, is looked at once.
func TestNoRulesAtAll(t *testing.T) {
	const inside = "SBX_TEST_NO_RULES"
	if os.Getenv(inside) != "" {
		if rules, err := New("").rules(); err != nil || len(rules) > 0 {
			t.Errorf("there are %q: %v", rules, err)
		}
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	alone := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestNoRulesAtAll$")
	alone.Env = append(os.Environ(), inside+"=1")
	alone.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if out, err := alone.CombinedOutput(); err != nil {
		t.Errorf("%v, %v: %s", err, context.Cause(ctx), out)
	}
}
