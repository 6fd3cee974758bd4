// Package slip finds the word that a misspelt one was meant to be.
package slip

import "strings"

// longest is how many bytes a word may have that is looked at: comparing takes
// the product of two lengths.
const longest = 64

// Nearest is the candidate that takes the fewest slips of a finger to become
// word, whatever the case of its letters, and at most so many; "" where there is
// none. Of several that are as near, it is the first. Candidates are in lower
// case. A slip adds, drops or changes a letter, or swaps two neighbours.
func Nearest(word string, candidates []string, most int) string {
	best := ""
	for _, c := range candidates {
		if strings.EqualFold(word, c) {
			return c
		}
		if d := distance(strings.ToLower(word), c); d <= most && d < len(c) {
			best, most = c, d-1
		}
	}
	return best
}

// distance is the number of slips between a and b.
func distance(a, b string) int {
	if len(a) > longest || len(b) > longest {
		return longest
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
