package runtime_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/internal/testhost"
)

// BenchmarkInnerWalls runs BenchmarkWall and BenchmarkWallHTTP in a virtual machine whose
// kernel can hold inner walls, as this host's may not, and tells what they have come to.
func BenchmarkInnerWalls(b *testing.B) {
	testhost.Need(b)
	ctx, cancel := context.WithTimeout(b.Context(), 90*time.Minute)
	defer cancel()
	out := string(onOtherHost(b, ctx, unraced(b, "."), "-test.run=^$", "-test.bench=^BenchmarkWall", "-test.benchtime=1x", "-test.timeout=85m"))
	found := 0
	for line := range strings.Lines(out) {
		words := strings.Fields(line)
		if len(words) < 4 || !strings.HasPrefix(words[0], "BenchmarkWall") {
			continue
		}
		found++
		name := strings.TrimSuffix(strings.TrimPrefix(words[0], "Benchmark"), "-2") // its processors
		b.Run(name, func(b *testing.B) {
			b.ReportMetric(0, "ns/op")
			for at := 2; at+1 < len(words); at += 2 {
				if value, err := strconv.ParseFloat(words[at], 64); err == nil {
					b.ReportMetric(value, words[at+1])
				}
			}
		})
	}
	if found == 0 || !strings.Contains(out, "otherhost: exit code 0") {
		b.Fatalf("the benchmarks did not end well there:\n%s", out)
	}
}
