package main

import (
	"slices"
	"testing"
	"time"
)

// BenchmarkSaved times `sbx run -b kvm -- /bin/false` of a user who is not root, to its
// exit code, in turns: a machine that boots, and one that is restored from a saved one. It
// reports both medians and their ratio.
func BenchmarkSaved(b *testing.B) {
	who := plainUser(b)
	run := func(flags ...string) time.Duration {
		cmd := who.start(slices.Concat(who.args, flags, []string{"--", "/bin/false"}))
		start := time.Now()
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != 1 {
			b.Fatalf("sbx run: %v\n%s", err, out)
		}
		return time.Since(start)
	}
	for range 3 { // QEMU is asked what it can do, a machine is noted, and one is saved
		run()
	}
	var cold, warm []time.Duration
	for b.Loop() {
		cold = append(cold, run("--cold"))
		warm = append(warm, run())
	}
	reportPair(b, "cold-ms", cold, "saved-ms", warm)
}
