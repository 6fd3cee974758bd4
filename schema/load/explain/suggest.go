package explain

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/internal/slip"
)

// didYouMean is the candidate that word is likely a slip of; "" where none is
// near.
func didYouMean(word string, candidates []string) string {
	for _, prefix := range []string{"SIG", "CAP_", "cap_"} {
		if w, ok := strings.CutPrefix(word, prefix); ok {
			word = w
		}
	}
	return slip.Nearest(word, candidates, max(2, len(word)/3))
}

// suggestFrom is the help for a word that is not among those allowed.
func suggestFrom(word string, allowed []string) string {
	help := "allowed: " + strings.Join(allowed, ", ")
	if c := didYouMean(word, allowed); c != "" {
		return fmt.Sprintf("did you mean %q? %s", c, help)
	}
	return help
}

// rewrites are how people write what the language spells otherwise.
var rewrites = map[string]func(string) string{
	"SBX0022": func(s string) string {
		s = strings.ReplaceAll(s, " ", "")
		digits := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
		unit := strings.ToUpper(s[len(digits):])
		if digits == "" || len(unit) > 3 || unit == "" || !strings.Contains("KMGT", unit[:1]) {
			return ""
		}
		return digits + unit[:1] + "iB"
	},
	"SBX0020": func(s string) string {
		return strings.Trim(strings.ToLower(strings.Map(func(r rune) rune {
			if strings.ContainsRune(" _.", r) {
				return '-'
			}
			return r
		}, s)), "-")
	},
	"SBX0021": func(s string) string {
		if !strings.HasPrefix(s, "/") || slices.Contains(strings.Split(s, "/"), "..") {
			return ""
		}
		return cleanPath(s)
	},
	"SBX0024": func(s string) string {
		if strings.Contains(s, "/") {
			return ""
		}
		if strings.Contains(s, ":") {
			return s + "/64"
		}
		return s + "/24"
	},
	"SBX0025": func(s string) string {
		address, _, _ := strings.Cut(s, "/")
		return address
	},
	"SBX0029": func(s string) string {
		s = strings.ReplaceAll(strings.ToLower(s), " ", "")
		digits := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyz")
		switch unit := s[len(digits):]; {
		case unit == "" || strings.HasPrefix("seconds", unit):
			return digits + "s"
		case strings.HasPrefix("minutes", unit):
			return digits + "m"
		case strings.HasPrefix("hours", unit):
			return digits + "h"
		}
		return ""
	},
}

// cleanPath is the path without doubled and final slashes.
func cleanPath(s string) string { return path.Clean(s) }

// suggestDefinition is the help for a definition that the schema does not have.
func suggestDefinition(name string) string {
	bases := []string{"#Profile", "#Service", "#Web", "#Worker", "#Job", "#Shell", "#Desktop", "#Network", "#Mount", "#Rule", "#Resources", "#Run"}
	if c := didYouMean(name, bases); c != "" {
		return fmt.Sprintf("did you mean schema.%s?", c)
	}
	return ""
}
