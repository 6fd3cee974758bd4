package jobs_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/runtime/internal/jobs"
)

// Whoever begins a run of what was kept is told when it is not kept any more.
func TestStill(t *testing.T) {
	dir := t.TempDir()
	keep := func(content string) {
		t.Helper()
		b := &compiler.Bundle{Index: compiler.Index{Name: "backup"}}
		b.Add("domain.xml", []byte(content))
		b.Seal()
		if err := jobs.Keep(dir, b, jobs.Machines{}); err != nil {
			t.Fatal(err)
		}
	}
	keep("one")
	kept, _, err := jobs.Kept(dir, "backup")
	if err != nil {
		t.Fatal(err)
	}
	keep("one")
	if err := jobs.Still(dir, kept); err != nil {
		t.Errorf("the same was kept again: %v", err)
	}
	keep("another")
	if err := jobs.Still(dir, kept); !errors.Is(err, jobs.ErrReplaced) {
		t.Errorf("another one is kept: %v", err)
	}
	if err := jobs.Forget(dir); err != nil {
		t.Fatal(err)
	}
	if err := jobs.Still(dir, kept); err == nil || errors.Is(err, jobs.ErrReplaced) {
		t.Errorf("none is kept: %v", err)
	}
}

// A run that finds another bundle kept when it has the lock is one of that.
func TestBegin(t *testing.T) {
	dir := t.TempDir()
	keep := func(name string) {
		t.Helper()
		if err := jobs.Keep(dir, &compiler.Bundle{Index: compiler.Index{Name: "backup", Profile: name}}, jobs.Machines{Accel: name}); err != nil {
			t.Fatal(err)
		}
	}
	keep("old")
	var begun []string
	err := jobs.Begin(dir, "backup", func(b *compiler.Bundle, by jobs.Machines) error {
		begun = append(begun, b.Index.Profile+" by "+by.Accel)
		if len(begun) == 1 {
			keep("new")
		}
		return jobs.Still(dir, b)
	})
	if err != nil || !slices.Equal(begun, []string{"old by old", "new by new"}) {
		t.Errorf("begun are %q: %v", begun, err)
	}
}
