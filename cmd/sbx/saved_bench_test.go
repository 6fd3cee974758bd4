package main

import (
	"slices"
	"testing"

	"github.com/sbx-dev/sbx/internal/turns"
)

// BenchmarkSaved times `sbx run -b kvm -- /bin/false` of a user who is not root, to its
// exit code: a machine that is restored from a saved one, and one that boots.
func BenchmarkSaved(b *testing.B) {
	who := plainUser(b)
	run := func(flags ...string) {
		cmd := who.start(slices.Concat(who.args, flags, []string{"--", "/bin/false"}))
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != 1 {
			b.Fatalf("sbx run: %v\n%s", err, out)
		}
	}
	for range 3 { // QEMU is asked what it can do, a machine is noted, and one is saved
		run()
	}
	turns.Ratio(b,
		turns.Side{Unit: "saved-ms", Measure: turns.Milliseconds(func() { run() })},
		turns.Side{Unit: "cold-ms", Measure: turns.Milliseconds(func() { run("--cold") })},
		turns.Goal{AtMost: 0.4})
}
