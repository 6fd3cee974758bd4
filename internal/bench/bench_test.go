package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const printed = `goos: linux
pkg: github.com/sbx-dev/sbx/x
BenchmarkRun-2   	      11	         1.500 goal-at-most	         1.100 least-ratio	         2.000 most-ratio	         1.320 ratio	        11.00 rounds	       312.0 sbx-ms	       240.0 virsh-ms
BenchmarkMany/with-2-rules-2	1	 40.5 apply-ms/sandbox
--- FAIL: BenchmarkBroken
    x_test.go:3: no, there it says:
        BenchmarkOther-2   	      11	         1.320 ratio
FAIL
`

// What benchmarks print is read, and their goals are judged.
func TestReport(t *testing.T) {
	r := &report{Date: "2026-01-02", Commit: "abc", Machine: []string{"2 processors"}, Load: []float64{0.5, 2}, Results: parse("x", printed), Failed: []string{"x"}}
	if len(r.Results) != 2 {
		t.Errorf("%d results are read: %v", len(r.Results), r.Results)
	}
	text := r.text()
	for _, line := range []string{
		"2026-01-02, commit abc; 2 processors; load 0.5 before and 2.0 after.",
		"| `x` Run | **1.32** | 1.10–2.00 | 11 | ≤ 1.5: held | 312 sbx-ms, 240 virsh-ms |",
		"| `x` Many/with-2-rules | 40.5 apply-ms/sandbox |",
		"Not all benchmarks of `x` ran to their end.",
	} {
		if !slices.Contains(strings.Split(text, "\n"), line) {
			t.Errorf("no line %q in\n%s", line, text)
		}
	}
	r.Results = r.Results[:1]
	if text := r.text(); strings.Contains(text, "without a peer") {
		t.Errorf("it has a table of nothing:\n%s", text)
	}
	for metrics, want := range map[[2]any]string{{"goal-at-most", 1.3}: "≤ 1.3: missed", {"goal-at-least", 1.3}: "≥ 1.3: held", {"goal-at-least", 2.0}: "≥ 2: missed"} {
		if got := (result{Metrics: map[string]float64{"ratio": 1.32, metrics[0].(string): metrics[1].(float64)}}).goal(); got != want {
			t.Errorf("%v: %q, want %q", metrics, got, want)
		}
	}
}

// A run takes the place of the one before.
func TestRecord(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(page, []byte("# Page\n"+lastRun+"an older one\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := recordIn(page, "now\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(page); err != nil || string(got) != "# Page\n"+lastRun+"now\n" {
		t.Errorf("%q, %v", got, err)
	}
}

// The folders with benchmarks are found, and this package has none.
func TestWithBenchmarks(t *testing.T) {
	found, err := withBenchmarks("../..")
	if err != nil || !slices.Contains(found, "./../../initramfs/channel") || slices.Contains(found, "./../../internal/bench") {
		t.Errorf("%v, %v", found, err)
	}
}
