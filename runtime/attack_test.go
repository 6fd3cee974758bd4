package runtime_test

import (
	"bytes"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/runtime"
)

// leastAttempts is how many attempts the table of internal/probe holds at least.
const leastAttempts = 250

// testAttack has root inside try all that internal/probe lists, and counts what held.
func (p *prober) testAttack(t *testing.T, r *runtime.Runtime) {
	client, err := r.Attach(t.Context(), p.name)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var said, failed bytes.Buffer
	exit, err := client.Exec(t.Context(), channel.Command{Argv: []string{"/probe", "attack"}}, channel.Stdio{Stdout: &said, Stderr: &failed})
	if err != nil || exit.Code != 0 || exit.Signal != 0 {
		t.Fatalf("the attempts ended with %v (%v): %s", exit, err, &failed)
	}
	held := map[string]int{} // by the first word of what was tried
	for line := range strings.Lines(said.String()) {
		name, result, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if !strings.HasPrefix(result, "held: ") {
			t.Errorf("%s: %s", name, result)
			continue
		}
		kind, _, _ := strings.Cut(name, " ")
		held[kind]++
	}
	sum := 0
	for _, kind := range slices.Sorted(maps.Keys(held)) {
		sum += held[kind]
		t.Logf("%5d held: %s", held[kind], kind)
	}
	t.Logf("%5d held in all", sum)
	if _, err := os.Stat("/dev/loop-control"); err == nil && !strings.Contains(said.String(), "write more than a bounded folder holds\theld: ENOSPC\n") {
		t.Errorf("the bounded folder has not been full:\n%s", &said)
	}
	if sum < leastAttempts {
		t.Errorf("%d attempts held, want %d at least:\n%s", sum, leastAttempts, &said)
	}
}
