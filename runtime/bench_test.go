package runtime_test

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/testhost"
)

// BenchmarkMany brings up, lists and takes down as many sandboxes from one
// profile as the sub-benchmark is named for, four at a time. It reports the
// seconds for each sandbox: what grows faster than their number shows there.
func BenchmarkMany(b *testing.B) {
	testhost.Need(b)
	for _, count := range []int{5, 50} {
		b.Run(strconv.Itoa(count), func(b *testing.B) {
			for b.Loop() {
				many(b, count)
			}
		})
	}
}

func many(b *testing.B, count int) {
	b.Helper()
	r := newRuntime(b)
	var bundles []*compiler.Bundle
	for n := range count {
		bundles = append(bundles, compile(b, "many.cue", fmt.Sprintf("n=%d", n+2)))
	}
	each := func(work func(*compiler.Bundle) error) time.Duration {
		began := time.Now()
		inParallel(b, bundles, work)
		return time.Since(began) / time.Duration(count)
	}
	b.ReportMetric(each(func(one *compiler.Bundle) error { _, err := r.Up(b.Context(), one); return err }).Seconds(), "up-s/sandbox")
	began := time.Now()
	list, err := r.List()
	if err != nil || len(list) != count {
		b.Fatalf("%d sandboxes are listed (%v), want %d", len(list), err, count)
	}
	b.ReportMetric(float64(time.Since(began).Milliseconds())/float64(count), "list-ms/sandbox")
	b.ReportMetric(each(func(one *compiler.Bundle) error { _, err := r.Down(b.Context(), one.Index.Name); return err }).Seconds(), "down-s/sandbox")
}

// inParallel works on four bundles at a time.
func inParallel(b *testing.B, bundles []*compiler.Bundle, work func(*compiler.Bundle) error) {
	b.Helper()
	queue := make(chan *compiler.Bundle)
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for one := range queue {
				if err := work(one); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for _, one := range bundles {
		queue <- one
	}
	close(queue)
	workers.Wait()
}
