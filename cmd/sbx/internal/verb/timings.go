package verb

import (
	"context"
	"strings"
	"time"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/internal/spans"
)

// began is when this program had been loaded.
var began = time.Now()

// TimingFlags say whether a verb tells where its time went.
type TimingFlags struct {
	Timings bool `help:"Say on standard error how many milliseconds each part took."`
}

// Record has what follows in a.Ctx be recorded, where that is asked for. The function
// that it gives prints what was.
func (f *TimingFlags) Record(a *App) (tell func()) {
	if !f.Timings {
		return func() {}
	}
	r := spans.New(began, "program")
	a.Ctx = spans.With(a.Ctx, r)
	return func() { tellTimings(a, r) }
}

// tellTimings prints a row for each span and one for all.
func tellTimings(a *App, r *spans.Record) {
	list, total := r.Spans()
	say.Fprintf(a.Stderr, "sbx: %9s %9s\n", "began at", "took")
	for _, s := range list {
		say.Fprintf(a.Stderr, "sbx: %9.1f %9.1f ms  %s%s\n", milliseconds(s.From), milliseconds(s.Took), strings.Repeat("  ", s.Depth), s.Name)
	}
	say.Fprintf(a.Stderr, "sbx: %9s %9.1f ms  in all\n", "", milliseconds(total))
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// Span begins a part of a verb's work, which the function that it gives ends.
func Span(ctx context.Context, name string) (end func()) { return spans.Begin(ctx, name) }
