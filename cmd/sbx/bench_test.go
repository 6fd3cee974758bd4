package main

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/internal/turns"
)

// BenchmarkAgainstCue runs sbx and `cue export` of the same profile in turns, each a
// process of its own: a profile that sbx compiles as if for the first time, one that it
// has compiled before, and what starting sbx takes of that.
func BenchmarkAgainstCue(b *testing.B) {
	sbx := benchedSbx(b)
	cue := filepath.Join(b.TempDir(), "cue")
	output(b, "go", "build", "-modfile=../../scripts/tools.mod", "-o", cue, "cuelang.org/go/cmd/cue")
	export := turns.Side{Unit: "cue-ms", Measure: turns.Milliseconds(func() { inTree(b, cue, "export", "./profiles:apache") })}
	for _, c := range []struct {
		name, memory string
		argv         []string
		goal         turns.Goal
	}{
		{"first", "off", []string{"compile", "profiles/apache.cue"}, turns.Goal{AtMost: 1.2}},
		{"unchanged", "", []string{"compile", "profiles/apache.cue"}, turns.Goal{AtMost: 0.5}},
		{"version", "", []string{"version"}, turns.Goal{}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.Setenv("SBX_CACHE", c.memory)
			inTree(b, sbx, c.argv...)
			turns.Ratio(b, turns.Side{Unit: "sbx-ms", Measure: turns.Milliseconds(func() { inTree(b, sbx, c.argv...) })}, export, c.goal)
		})
	}
}

// benchedSbx is sbx as it ships, with the sbx-init that its sandboxes get.
func benchedSbx(b *testing.B) string {
	b.Helper()
	testhost.Need(b)
	init, err := guestInit()
	if err != nil {
		b.Fatal(err)
	}
	b.Setenv("SBX_INIT", init)
	sbx := filepath.Join(b.TempDir(), "sbx")
	output(b, "go", "build", "-trimpath", "-tags", "libvirt_dlopen", "-ldflags", "-s -w", "-o", sbx, ".")
	return sbx
}

// inTree runs a program, which must succeed, at the root of the sources.
func inTree(b *testing.B, program string, args ...string) {
	b.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
}
