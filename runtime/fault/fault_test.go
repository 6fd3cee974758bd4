package fault_test

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

func TestTheInnermostCodeCounts(t *testing.T) {
	network := fault.New(diag.NoNetwork, "libvirt has no network %s", "lan")
	full := &os.PathError{Op: "write", Path: "/x", Err: syscall.ENOSPC}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"none":        {errors.New("x"), ""},
		"nil":         {fault.Because(diag.NoKernel, nil), ""},
		"one":         {network, diag.NoNetwork},
		"wrapped":     {fmt.Errorf("web: %w", network), diag.NoNetwork},
		"two":         {fault.New(diag.Start, "cannot start: %w", fmt.Errorf("web: %w", network)), diag.NoNetwork},
		"by a wrap":   {fault.Because(diag.NoKernel, errors.New("x")), diag.NoKernel},
		"joined":      {errors.Join(errors.New("x"), network), diag.NoNetwork},
		"a full disk": {fault.Because(diag.NoKernel, full), diag.DiskFull},
	} {
		if got := fault.Code(c.err); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if got := fault.New(diag.Start, "cannot start: %w", network).Error(); got != "cannot start: libvirt has no network lan" {
		t.Error(got)
	}
	if !errors.Is(fault.Because(diag.NoKernel, full), syscall.ENOSPC) {
		t.Error("the cause is lost")
	}
}
