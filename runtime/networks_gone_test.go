package runtime_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Where somebody has emptied the host's packet filter, libvirt starts no network. The
// error says why and what to do, and that is right.
func TestNetworkAfterTheRulesAreGone(t *testing.T) {
	testhost.Need(t)
	r := newRuntime(t)
	bundle := compileText(t, filteredProfile)
	if out, err := exec.Command("nft", "flush", "ruleset").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	_, err := r.Up(t.Context(), bundle)
	testhost.KillLibvirtd(t) // and a new one is there
	if fault.Code(err) != diag.NoNetwork || !strings.Contains(err.Error(), "systemctl restart libvirtd") {
		t.Errorf("it says %v", err)
	}
	up(t, r, bundle)
}
