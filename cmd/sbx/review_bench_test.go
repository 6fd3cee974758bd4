package main

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
)

// BenchmarkReview runs `sbx review` as a process of its own over two profiles,
// from their CUE text to the report, with 500 and with 5000 rules in each. It
// reports how long it takes and how much memory it has in use at most, and how
// many times as long ten times the rules take.
func BenchmarkReview(b *testing.B) {
	sbx := filepath.Join(b.TempDir(), "sbx")
	output(b, "go", "build", "-tags", "libvirt_dlopen", "-o", sbx, ".")
	for _, kind := range []struct {
		name string
		pair func(r *rand.Rand, n int) (before, after []string)
	}{
		{"a-tenth-differs", func(r *rand.Rand, n int) (before, after []string) {
			before = randomRules(r, n, 10)
			after = append(after, before...)
			for _, i := range r.Perm(n)[:n/10] {
				after[i] = randomRules(r, 1, 10)[0]
			}
			return before, after
		}},
		{"unrelated", func(r *rand.Rand, n int) (before, after []string) {
			return randomRules(r, n, 10), randomRules(r, n, 10)
		}},
		{"unrelated-wide", func(r *rand.Rand, n int) (before, after []string) {
			return randomRules(r, n, 1), randomRules(r, n, 1)
		}},
		{"made-by-comprehensions", func(_ *rand.Rand, n int) (before, after []string) {
			return []string{madeRules(0, n)}, []string{madeRules(n/10, n)}
		}},
	} {
		var few time.Duration
		for _, n := range []int{500, 5000} {
			b.Run(fmt.Sprintf("%s/rules=%d", kind.name, n), func(b *testing.B) {
				before, after := kind.pair(rand.New(rand.NewPCG(5, uint64(n))), n)
				took := reviewRules(b, sbx, before, after)
				if n == 500 {
					few = took
				} else if few > 0 {
					b.ReportMetric(took.Seconds()/few.Seconds(), "×500-rules")
				}
			})
		}
	}
}

// reviewRules reviews profiles with those rules, and gives the mean time.
func reviewRules(b *testing.B, sbx string, before, after []string) time.Duration {
	old, new := ruleProfile(b, before), ruleProfile(b, after)
	var took time.Duration
	var most int64 // KiB of resident memory
	for b.Loop() {
		c := exec.Command(sbx, "review", old, new)
		began := time.Now()
		err := c.Run()
		took += time.Since(began)
		if c.ProcessState == nil || c.ProcessState.ExitCode() != verb.ExitChanges {
			b.Fatal(err)
		}
		most = max(most, c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
	}
	b.ReportMetric(float64(most)/1024, "MiB-RSS")
	return took / time.Duration(b.N)
}
