//go:build firewall

package runtime_test

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/internal/testhost"
)

// The inner walls of SBX_KERNEL_WALLS random policies, in a virtual machine whose kernel
// can hold them: packets from all sources, and none passes or is lost against the rules.
func TestInnerWallsInFull(t *testing.T) {
	testhost.Need(t)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Minute)
	defer cancel()
	out := onOtherHost(t, ctx, "/bin/sh", "-c", `SBX_KERNEL_WALLS="$2" "$1" -test.short -test.v -test.count=1 -test.timeout=50m "-test.run=^TestInnerWallAgreesWithTheKernel$"`, "sh",
		unraced(t, "../compiler/firewall/nwfilter"), os.Getenv("SBX_KERNEL_WALLS"))
	if !bytes.Contains(out, []byte("--- PASS: TestInnerWallAgreesWithTheKernel ")) {
		t.Fatalf("%s", out)
	}
	t.Logf("%s", regexp.MustCompile(`\d+ policies, .*`).Find(out))
}
