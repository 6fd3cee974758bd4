package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sbx-dev/sbx/internal/testhost"
)

// TestOperations runs testdata/operations, one after the other: what is not in
// their folders is pruned.
func TestOperations(t *testing.T) {
	testhost.Need(t)
	testscript.Run(t, params("testdata/operations"))
}
