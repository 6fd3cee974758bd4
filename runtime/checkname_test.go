package runtime

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/internal/logfile"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Names come from command lines, too, and become names of files.
func TestNamesThatAreNoneAreRefused(t *testing.T) {
	around := t.TempDir()
	folder := filepath.Join(around, "sbx")
	if err := os.Mkdir(folder, 0o711); err != nil {
		t.Fatal(err)
	}
	r := New(Options{StateDir: folder})
	defer r.Close()
	for verb, call := range map[string]func(context.Context, string) error{
		"attach":  func(ctx context.Context, name string) error { _, err := r.Attach(ctx, name); return err },
		"down":    func(ctx context.Context, name string) error { _, err := r.Down(ctx, name); return err },
		"inspect": func(ctx context.Context, name string) error { _, err := r.Inspect(ctx, name); return err },
		"keep":    r.Keep,
		"logs": func(ctx context.Context, name string) error {
			return r.Logs(ctx, name, time.Time{}, false, func(logfile.Line) error { return nil })
		},
		"stop":    func(ctx context.Context, name string) error { _, err := r.Stop(ctx, name); return err },
		"restart": r.Restart,
		"reload":  func(ctx context.Context, name string) error { return r.Reload(ctx, name) },
		"signal":  func(ctx context.Context, name string) error { return r.Signal(ctx, name, syscall.SIGHUP) },
		"wait":    func(ctx context.Context, name string) error { _, err := r.Wait(ctx, name); return err },
	} {
		for _, name := range []string{"", ".", "../x", "a/b", ".all", ".run", "A", "-x", "a\x00b", "a\nb"} {
			if err := call(t.Context(), name); fault.Code(err) != diag.NoSandbox {
				t.Errorf("%s %q: %v", verb, name, err)
			}
		}
	}
	for _, dir := range []string{around, folder} {
		if entries, err := os.ReadDir(dir); err != nil || dir == folder && len(entries) != 0 || len(entries) > 1 {
			t.Errorf("%s holds %v (%v)", dir, entries, err)
		}
	}
}
