package schema

import "regexp"

var sandboxName = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)

// IsName says whether a text can be the name of a sandbox, as #Name has it.
func IsName(text string) bool { return sandboxName.MatchString(text) }
