// Package spans records where the time of one piece of work goes: parts with a name,
// one after the other or within each other, by the monotonic clock.
//
// A nil *Record takes and gives nothing, so that who works need not ask whether
// somebody wants to know.
package spans

import (
	"context"
	"sync"
	"time"
)

// Span is one part of the work.
type Span struct {
	Name  string
	Depth int           // how many spans it lies in
	From  time.Duration // since the record began
	Took  time.Duration // less than 0 while it is not over
}

// Record is what has been recorded. Its methods may be called at the same time.
type Record struct {
	began time.Time

	mu   sync.Mutex
	list []Span
	deep int
}

// New begins a record. What happened before it, since the time began, is its first
// span, called before; the zero time has none.
func New(began time.Time, before string) *Record {
	now := time.Now()
	if began.IsZero() {
		return &Record{began: now}
	}
	return &Record{began: began, list: []Span{{Name: before, Took: now.Sub(began)}}}
}

// Begin begins a span, which the function that it gives ends, once.
func (r *Record) Begin(name string) (end func()) {
	if r == nil {
		return func() {}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	at, from := len(r.list), time.Since(r.began)
	r.list = append(r.list, Span{Name: name, Depth: r.deep, From: from, Took: -1})
	r.deep++
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.list[at].Took < 0 {
			r.list[at].Took = time.Since(r.began) - from
			r.deep--
		}
	}
}

// Spans are those that are over, in the order in which they began, and how long all
// has taken so far.
func (r *Record) Spans() (list []Span, total time.Duration) {
	if r == nil {
		return nil, 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.list {
		if s.Took >= 0 {
			list = append(list, s)
		}
	}
	return list, time.Since(r.began)
}

type key struct{}

// With is a context whose work is recorded by r.
func With(ctx context.Context, r *Record) context.Context { return context.WithValue(ctx, key{}, r) }

// Begin begins a span of the context's record; without one it does nothing.
func Begin(ctx context.Context, name string) (end func()) {
	r, _ := ctx.Value(key{}).(*Record)
	return r.Begin(name)
}
