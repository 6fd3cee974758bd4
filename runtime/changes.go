package runtime

import (
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/runtime/internal/observe"
	"github.com/sbx-dev/sbx/runtime/plan"
)

// Rules are those of the changes that are about what the firewall lets pass. Of a
// sandbox that was not there before there are none: all of its profile is new.
func (u *UpResult) Rules() []plan.Change {
	return slices.DeleteFunc(slices.Clone(u.Changes), func(c plan.Change) bool {
		return !strings.HasPrefix(c.Object, observe.FilterObject("")) || c.Field != plan.RuleField
	})
}
