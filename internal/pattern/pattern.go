// Package pattern has regular expressions that are compiled when they are first used:
// compiled as packages are initialised, those of all packages would be paid for by each
// start of sbx.
package pattern

import (
	"regexp"
	"sync"
)

// Of is a regular expression, which the first call compiles. That of text which is none
// panics; a test of internal/structure compiles each that stands anywhere.
func Of(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}
