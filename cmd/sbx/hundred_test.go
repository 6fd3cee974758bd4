package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sbx-dev/sbx/internal/testhost"
)

// hundred is how many sandboxes are started at once.
const hundred = 100

// TestAHundredAtOnce starts that many `sbx run` as processes of their own: each
// has a name that no other one has, and its own command's output and exit code.
func TestAHundredAtOnce(t *testing.T) {
	testhost.Need(t)
	if err := install(); err != nil {
		t.Fatal(err)
	}
	results := make([]result, hundred)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() {
			command := fmt.Sprintf("uname -n; echo %d; echo %d >&2; exit %d", i, i, i)
			cmd := exec.Command(filepath.Join(installation, "sbx"), "run", "--", "sh", "-c", command)
			results[i] = outcome(t, cmd, strings.NewReader(""))
		})
	}
	wg.Wait()
	names := map[string]bool{}
	for i, got := range results {
		name, out, _ := strings.Cut(got.stdout, "\n")
		names[name] = true
		got.stdout = out
		if want := (result{i, fmt.Sprintln(i), fmt.Sprintln(i)}); got != want {
			t.Errorf("number %d, named %q: got %+v, want %+v", i, name, got, want)
		}
	}
	if len(names) != hundred {
		t.Errorf("%d sandboxes had %d names", hundred, len(names))
	}
	if left, err := os.ReadDir("/var/lib/sbx/.run"); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
