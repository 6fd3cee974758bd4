package observe

import (
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/runtime/internal/confinement"
	"github.com/sbx-dev/sbx/runtime/plan"
)

// profile compares the AppArmor profile that the sandbox is to have here with the
// one that it was last given, rule by rule, and with what the kernel has.
func (c *comparison) profile() error {
	if c.want.Confinement == nil {
		return nil // and where it has one, its domain differs
	}
	kept, err := confinement.Kept(c.want.Dir)
	if err != nil {
		return err
	}
	effect, why := plan.Live, whyAppArmor
	if c.have.loose {
		effect, why = plan.Restart, whyUnconfined
	}
	if kept == nil { // as an sbx has left it that wrote none
		c.add(ProfileObject, plan.Difference{Desired: "loaded"}, effect, why)
		return nil
	}
	desired, live := rules(c.want.Confinement), rules(kept)
	for _, rule := range Gone(live, desired) {
		c.add(ProfileObject, plan.Difference{Live: rule}, effect, why)
	}
	for _, rule := range Gone(desired, live) {
		c.add(ProfileObject, plan.Difference{Desired: rule}, effect, why)
	}
	before, now := Noted(c.have.Metadata)[ProfileObject], c.have.confinement()
	if before != now && slices.Equal(desired, live) && c.have.Active {
		c.add(ProfileObject, plan.Difference{Live: now, Desired: before}, effect, why)
	}
	return nil
}

// policy compares the module of SELinux's policy that the sandbox is to have here with
// what that policy has, rule by rule: whoever changed it.
func (c *comparison) policy() {
	if c.want.Module == nil {
		return
	}
	if c.have.policy == nil {
		c.add(policyObject, plan.Difference{Desired: "loaded"}, plan.Live, whyPolicy)
		return
	}
	desired, live := rules(c.want.Module), rules(c.have.policy)
	for _, rule := range Gone(live, desired) {
		c.add(policyObject, plan.Difference{Live: rule}, plan.Live, whyPolicy)
	}
	for _, rule := range Gone(desired, live) {
		c.add(policyObject, plan.Difference{Desired: rule}, plan.Live, whyPolicy)
	}
}

// rules are the lines of a profile, or of a policy, that say something.
func rules(profile []byte) (lines []string) {
	for line := range strings.Lines(string(profile)) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, ";") {
			lines = append(lines, strings.TrimSuffix(line, ","))
		}
	}
	return lines
}
