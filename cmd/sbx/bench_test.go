package main

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkAgainstCue runs `sbx compile` and `cue export` of the same profile one
// after the other, each a process of its own, and reports how many times as long
// sbx takes.
func BenchmarkAgainstCue(b *testing.B) {
	dir := b.TempDir()
	sbx, cue := filepath.Join(dir, "sbx"), filepath.Join(dir, "cue")
	for _, build := range [][]string{
		{"build", "-tags", "libvirt_dlopen", "-o", sbx, "."},
		{"build", "-modfile=../../scripts/tools.mod", "-o", cue, "cuelang.org/go/cmd/cue"},
	} {
		if out, err := exec.Command("go", build...).CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
	}
	var ours, theirs time.Duration
	for b.Loop() {
		ours += timed(b, sbx, "compile", "profiles/apache.cue")
		theirs += timed(b, cue, "export", "./profiles:apache")
	}
	b.ReportMetric(ours.Seconds()*1000/float64(b.N), "sbx-ms")
	b.ReportMetric(theirs.Seconds()*1000/float64(b.N), "cue-ms")
	b.ReportMetric(ours.Seconds()/theirs.Seconds(), "ratio")
}

func timed(b *testing.B, program string, args ...string) time.Duration {
	cmd := exec.Command(program, args...)
	cmd.Dir = "../.."
	start := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return time.Since(start)
}
