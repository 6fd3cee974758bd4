package runtime_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime"
)

// BenchmarkMany plans, applies, lists and takes down as many sandboxes from one
// profile as the sub-benchmark is named for, four at a time. It reports the
// milliseconds for each sandbox: what grows faster than their number shows
// there.
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
	each := func(what string, work func()) {
		began := time.Now()
		work()
		b.ReportMetric(float64(time.Since(began).Milliseconds())/float64(count), what+"-ms/sandbox")
	}
	each("apply", func() { apply(b, r, bundles, false) })
	each("list", func() {
		list, err := r.List()
		if err != nil || len(list) != count {
			b.Fatalf("%d sandboxes are listed (%v), want %d", len(list), err, count)
		}
		r.Measure(b.Context(), list)
	})
	each("unchanged", func() {
		if p, err := r.Plan(bundles, false); err != nil || len(p.Changes) > 0 {
			b.Errorf("after it was applied, a plan has %v (%v)", p.Changes, err)
		}
	})
	each("down", func() { apply(b, r, nil, true) })
}

// apply makes the bundles' sandboxes be all that there is.
func apply(b *testing.B, r *runtime.Runtime, bundles []*compiler.Bundle, prune bool) {
	b.Helper()
	p, err := r.Plan(bundles, prune)
	if err != nil {
		b.Fatal(err)
	}
	for _, o := range r.Apply(b.Context(), p, bundles, runtime.ApplyOptions{Parallel: 4}) {
		if o.Err != nil {
			b.Error(o.Err)
		}
	}
}
