package schema

import (
	"slices"

	"github.com/sbx-dev/sbx/internal/syscalls"
	"github.com/sbx-dev/sbx/schema/diag"
)

// syscalls checks that each word opens something.
func (c *checker) syscalls() {
	const at = "syscalls.allow"
	c.twice(at, c.Syscalls.Allow)
	for i, word := range c.Syscalls.Allow {
		if word == "" {
			continue
		}
		if wrong, help := syscalls.Check(word); wrong != "" {
			c.fail(diag.Syscalls, Elem(at, i), help, "%s", wrong)
		} else if c.Syscalls.Nested && slices.Contains(syscalls.Nested, word) {
			c.note(c.fail(diag.Syscalls, Elem(at, i), "remove it", "%q is open already", word), "syscalls.nested", "it is opened here")
		}
	}
}
