package compiler_test

import (
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/schema/load"
)

// A target that there is none of is refused by its name.
func TestUnknownTargetsAreRefused(t *testing.T) {
	p := loadOne(t, load.Config{}, "../profiles/shell.cue")
	if _, err := compiler.Compile(p, compiler.Options{Target: "paper"}); err == nil || !strings.Contains(err.Error(), `"paper"`) {
		t.Errorf("got %v", err)
	}
}
