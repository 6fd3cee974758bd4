package spans_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/internal/spans"
)

func TestSpansLieInEachOther(t *testing.T) {
	r := spans.New(time.Now().Add(-time.Minute), "before")
	ctx := spans.With(context.Background(), r)
	outer := spans.Begin(ctx, "outer")
	inner := spans.Begin(ctx, "inner")
	inner()
	inner() // a second time is none
	outer()
	spans.Begin(ctx, "never over")
	list, total := r.Spans()
	if len(list) != 3 || list[0].Name != "before" || list[0].Took < time.Minute || list[1].Name != "outer" || list[1].Depth != 0 || list[2].Name != "inner" || list[2].Depth != 1 {
		t.Fatalf("%+v", list)
	}
	if list[2].Took > list[1].Took || list[2].From < list[1].From || list[1].From < time.Minute || total < list[1].From+list[1].Took {
		t.Errorf("%+v of %v", list, total)
	}
}

func TestWithoutARecordNothingIsRecorded(t *testing.T) {
	spans.Begin(context.Background(), "x")()
	var none *spans.Record
	none.Begin("x")()
	if list, total := none.Spans(); list != nil || total != 0 {
		t.Errorf("%v, %v", list, total)
	}
}

func TestManyAtOnce(t *testing.T) {
	r := spans.New(time.Time{}, "")
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { r.Begin("x")() })
	}
	all.Wait()
	if list, _ := r.Spans(); len(list) != 50 {
		t.Errorf("%d", len(list))
	}
}
