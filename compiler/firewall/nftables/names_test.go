package nftables

import (
	"regexp"
	"strings"
	"testing"
)

// Each kind of name is as long and of such characters as this says.
func TestNames(t *testing.T) {
	for is, pattern := range map[string]struct {
		is   func(string) bool
		like string
	}{
		"table":  {isTableName, `^[a-z][a-z0-9.-]{0,127}$`},
		"device": {isDeviceName, `^[a-z][a-z0-9]{0,14}$`},
		"part":   {isPartName, `^[a-z][a-z0-9_]{0,30}$`},
	} {
		like := regexp.MustCompile(pattern.like)
		for _, c := range []string{"a", "0", "A", ".", "-", "_", " ", "\n", "{", "\"", "é", "\x00"} {
			for _, n := range []int{0, 1, 14, 15, 30, 31, 127, 128} {
				for _, name := range []string{strings.Repeat(c, n), "a" + strings.Repeat(c, n)} {
					if got, want := pattern.is(name), like.MatchString(name); got != want {
						t.Errorf("%s %q: %v, want %v", is, name, got, want)
					}
				}
			}
		}
	}
}
