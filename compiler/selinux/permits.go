package selinux

import (
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/internal/pattern"
)

// allowRule is how Allow writes one.
var allowRule = pattern.Of(`(?m)^\t\(allow ` + Process + ` (\S+) \((\S+) \(([^()]*)\)\)\)$`)

// Permits says whether a policy lets the sandbox's processes do something to what is of
// a name of its own (Content, Exposed). Rules of sbx's module are not among it.
func Permits(policy []byte, target, class, permission string) bool {
	for _, rule := range allowRule().FindAllSubmatch(policy, -1) {
		if string(rule[1]) == target && string(rule[2]) == class && slices.Contains(strings.Fields(string(rule[3])), permission) {
			return true
		}
	}
	return false
}
