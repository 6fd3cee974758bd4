package jobs_test

import (
	"errors"
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
		if err := jobs.Keep(dir, b); err != nil {
			t.Fatal(err)
		}
	}
	keep("one")
	kept, err := jobs.Kept(dir, "backup")
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
