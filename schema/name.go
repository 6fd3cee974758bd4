package schema

import "strings"

// IsName says whether a text can be the name of a sandbox, as #Name has it: up to 63
// small letters, digits and hyphens, a letter first and no hyphen last.
func IsName(text string) bool {
	return text != "" && len(text) <= 63 && 'a' <= text[0] && text[0] <= 'z' && text[len(text)-1] != '-' &&
		strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
