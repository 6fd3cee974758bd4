package runtime_test

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime/doctor"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema"
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

// A network that runs, and whose rules somebody has taken, has no NAT any more: doctor says
// so, until libvirt has put them back.
func TestDoctorSeesThatANetworkHasNoRules(t *testing.T) {
	testhost.Need(t)
	r := newRuntime(t)
	up(t, r, compileText(t, filteredProfile))
	rules := func() (found []doctor.Check) {
		return slices.DeleteFunc(doctor.Examine(t.Context(), r, schema.LXC), func(c doctor.Check) bool { return c.Name != "network rules" })
	}
	if found := rules(); len(found) > 0 {
		t.Errorf("they are there, and it finds %+v", found)
	}
	if out, err := exec.Command("nft", "flush", "ruleset").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	found := rules()
	testhost.KillLibvirtd(t) // and a new one is there
	if len(found) != 1 || found[0].State != doctor.Warn || !strings.Contains(found[0].Found, "rules of filtered from") || !strings.Contains(found[0].Mend, "systemctl restart libvirtd") {
		t.Errorf("they are gone, and it finds %+v", found)
	}
	if found := rules(); len(found) > 0 {
		t.Errorf("they are there again, and it finds %+v", found)
	}
}

// forgotten is what libvirt's nftables backend writes of an isolated network on a bridge,
// and of another network beside it.
const forgotten = `
table ip libvirt_network {
	chain guest_output {
		ip saddr 10.95.0.0/24 iif %[1]q counter accept
		iif %[1]q counter reject
		ip saddr 10.96.0.0/24 iif "lo" counter accept
	}
	chain guest_nat {
		type nat hook postrouting priority 100; policy accept;
		ip saddr 10.95.0.0/24 ip daddr != 10.95.0.0/24 counter masquerade
		ip saddr 10.96.0.0/24 ip daddr != 10.95.0.0/24 counter masquerade
	}
}
`

// Where libvirt makes its networks' rules by nftables, it forgets them once sbx has told a
// network a name (internal/lab/scenarios/nftables.sh): they go with the network all the
// same, and another one's stay. So they do where the network has stopped already, as when
// an earlier down was interrupted right then; what speaks of a bridge by its number, which
// no other will ever have, is all that stays.
func TestDownTakesTheRulesThatLibvirtForgets(t *testing.T) {
	testhost.Need(t)
	r := newRuntime(t)
	bundle := compileText(t, filteredProfile)
	for name, c := range map[string]struct {
		before func(t *testing.T)
		stays  int
	}{
		"running": {func(*testing.T) {}, 0},
		"stopped": {func(t *testing.T) { command(t, "virsh", "-c", "lxc:///system", "net-destroy", "filtered") }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			up(t, r, bundle)
			load := exec.Command("nft", "-f", "-")
			load.Stdin = strings.NewReader(fmt.Sprintf(forgotten, bridgeOf(t, "filtered")))
			if out, err := load.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			t.Cleanup(func() { command(t, "nft", "delete table ip libvirt_network") })
			c.before(t)
			if _, err := r.Down(t.Context(), "filtered"); err != nil {
				t.Fatal(err)
			}
			list := command(t, "nft", "list", "table", "ip", "libvirt_network")
			if strings.Contains(list, "saddr 10.95") || strings.Count(list, "reject") != c.stays || strings.Count(list, "saddr 10.96") != 2 {
				t.Errorf("it leaves\n%s", list)
			}
		})
	}
}
