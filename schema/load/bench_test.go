package load_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/load"
)

// BenchmarkVet checks folders of 10, 100 and 1000 profiles with one and with all
// processors. The time a profile must not grow with their number, nor the memory
// that is left when all are loaded.
func BenchmarkVet(b *testing.B) {
	text, err := os.ReadFile("../../profiles/apache.cue")
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	for _, n := range []int{10, 100, 1000} {
		for i := range n {
			name := strings.Replace(string(text), `"apache"`, fmt.Sprintf(`"apache%d"`, i), 1)
			file := filepath.Join(dir, fmt.Sprint(n), fmt.Sprint(i), "profile.cue")
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				b.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(name), 0o644); err != nil {
				b.Fatal(err)
			}
		}
		for _, procs := range []int{1, runtime.NumCPU()} {
			b.Run(fmt.Sprintf("profiles=%d/procs=%d", n, procs), func(b *testing.B) {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
				vet(b, filepath.Join(dir, fmt.Sprint(n)), n)
			})
		}
	}
}

func vet(b *testing.B, dir string, n int) {
	var profiles []*schema.Profile
	for b.Loop() {
		var err error
		if profiles, err = (&load.Config{Dir: dir}).Load("./..."); err != nil || len(profiles) != n {
			b.Fatal(len(profiles), err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/profile")
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapAlloc)/1024/float64(n), "KiB/profile")
	runtime.KeepAlive(profiles)
}
