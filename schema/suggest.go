package schema

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// didYouMean is the candidate that word is likely a slip of; "" where none is
// near.
func didYouMean(word string, candidates []string) string {
	for _, prefix := range []string{"SIG", "CAP_", "cap_"} {
		if w, ok := strings.CutPrefix(word, prefix); ok {
			word = w
		}
	}
	best, bestDistance := "", max(2, len(word)/3)+1
	for _, c := range candidates {
		if strings.EqualFold(word, c) {
			return c
		}
		if d := distance(strings.ToLower(word), c); d < bestDistance && d < len(c) {
			best, bestDistance = c, d
		}
	}
	return best
}

// distance is the number of letters to add, drop, change or swap with their
// neighbour between a and b.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
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
	bases := []string{"#Profile", "#Web", "#Worker", "#Shell", "#Network", "#Mount", "#Rule", "#Resources", "#Run"}
	if c := didYouMean(name, bases); c != "" {
		return fmt.Sprintf("did you mean schema.%s?", c)
	}
	return ""
}
