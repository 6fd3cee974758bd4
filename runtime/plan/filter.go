package plan

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Filter compares an nwfilter with the desired one: their rules in the order of
// their priorities, whatever the numbers are, and without comments. A rule that
// differs is one that is not there and another that is too much.
func Filter(desired, live string) ([]Difference, error) {
	want, have, err := parseBoth(desired, live)
	if err != nil {
		return nil, err
	}
	wanted, there := sequence(want), sequence(have)
	want.children, have.children = nil, nil
	c := new(comparison)
	c.elements("", "", want, have)
	for _, e := range edits(there, wanted) {
		c.found = append(c.found, e.difference("rule"))
	}
	return c.found, nil
}

// sequence writes each of a filter's entries in one line, in the order in which
// packets meet them. libvirt leaves the order of equal priorities open, so a
// rule says when it has its predecessor's.
func sequence(filter *element) []string {
	entries := slices.Clone(filter.children)
	slices.SortStableFunc(entries, func(a, b *element) int { return cmp.Compare(priority(a), priority(b)) })
	var lines []string
	for i, e := range entries {
		line := strings.TrimSpace(describe(e))
		if i > 0 && e.name == "rule" && priority(e) == priority(entries[i-1]) {
			line += ", at the priority of the one before"
		}
		lines = append(lines, line)
	}
	return lines
}

// priority is an entry's; what is not a rule (the UUID, references to other
// filters) stands in front of all that are.
func priority(entry *element) int {
	if entry.name != "rule" {
		return -1 << 20
	}
	n, err := strconv.Atoi(entry.attributes["priority"])
	if err != nil {
		return 500 // libvirt's default
	}
	return n
}

// describe writes an entry as "accept in tcp dstportstart=80".
func describe(entry *element) string {
	if entry.name != "rule" {
		return entry.name + " " + entry.words()
	}
	rest := &element{attributes: without(entry.attributes, "action", "direction", "priority")}
	for _, match := range entry.children {
		bare := *match
		bare.attributes = without(match.attributes, "comment")
		rest.children = append(rest.children, &bare)
	}
	words := []string{entry.attributes["action"], entry.attributes["direction"], rest.words()}
	return strings.ReplaceAll(strings.Join(words, " "), " present", "")
}

func without(attributes map[string]string, names ...string) map[string]string {
	rest := maps.Clone(attributes)
	for _, name := range names {
		delete(rest, name)
	}
	return rest
}

// edit is a line that one sequence has and the other has not.
type edit struct {
	text  string
	added bool
}

func (e edit) difference(field string) Difference {
	if e.added {
		return Difference{Field: field, Desired: clip(e.text)}
	}
	return Difference{Field: field, Live: clip(e.text)}
}

// edits are the fewest that lead from one sequence to the other.
func edits(from, to []string) []edit {
	// common[i][j] is the length of the longest common part of from[i:] and to[j:].
	common := make([][]int, len(from)+1)
	for i := range common {
		common[i] = make([]int, len(to)+1)
	}
	for i := len(from) - 1; i >= 0; i-- {
		for j := len(to) - 1; j >= 0; j-- {
			if from[i] == to[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var list []edit
	for i, j := 0, 0; i < len(from) || j < len(to); {
		switch {
		case i < len(from) && j < len(to) && from[i] == to[j]:
			i, j = i+1, j+1
		case j == len(to) || i < len(from) && common[i+1][j] >= common[i][j+1]:
			list = append(list, edit{from[i], false})
			i++
		default:
			list = append(list, edit{to[j], true})
			j++
		}
	}
	return list
}
