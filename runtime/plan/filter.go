package plan

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// RuleField is the field of a filter's differences that are about its rules.
const RuleField = "rule"

// Filter compares an nwfilter with the desired one: their rules in the order of
// their priorities, whatever the numbers are, and without comments. A rule that
// differs is one that is not there and another that is too much. Those that rules
// of a profile became are told in its words: what they open, less what is open already.
func Filter(desired, live string) ([]Difference, error) {
	want, have, err := parseBoth(desired, live)
	if err != nil {
		return nil, err
	}
	wanted, there := sequence(want), sequence(have)
	want.children, have.children = nil, nil
	c := new(comparison)
	c.elements("", "", want, have)
	c.found = append(c.found, rulesFound(edits(there, wanted))...)
	return c.found, nil
}

// rulesFound tells the edits of a filter's rules. Those of one comment that come,
// and those that go, are told together, where the first of them stands.
func rulesFound(list []edit) (found []Difference) {
	type together struct {
		comment string
		added   bool
	}
	key := func(e edit) together { return together{e.entry.comment(), e.added} }
	groups := map[together][]*element{}
	for _, e := range list {
		groups[key(e)] = append(groups[key(e)], e.entry)
	}
	plainly := map[*element]bool{} // what words do not cover
	openings := map[together][]opening{}
	all := map[bool][]opening{} // of what came, and of what went
	for of, entries := range groups {
		opens, rest := openingsOf(of.comment, entries)
		openings[of] = opens
		all[of.added] = append(all[of.added], opens...)
		for _, e := range rest {
			plainly[e] = true
		}
	}
	words := map[together][]string{}
	for of, opens := range openings {
		var changed []opening
		for _, o := range opens {
			changed = append(changed, o.without(all[!of.added])...)
		}
		words[of] = told(of.comment, changed)
	}
	if len(plainly) == 0 && !slices.ContainsFunc(slices.Collect(maps.Values(words)), func(lines []string) bool { return len(lines) > 0 }) {
		for of, opens := range openings { // the same, in other rules
			words[of] = told(of.comment, opens)
		}
	}
	for _, e := range list {
		for _, text := range words[key(e)] {
			found = append(found, edit{line{text: text}, e.added}.difference(RuleField))
		}
		delete(words, key(e))
		if plainly[e.entry] {
			found = append(found, e.difference(RuleField))
		}
	}
	return found
}

// sequence writes each of a filter's entries in one line, in the order in which
// packets meet them. libvirt leaves the order of equal priorities open, so a
// rule says when it has its predecessor's.
func sequence(filter *element) (lines []line) {
	entries := slices.Clone(filter.children)
	slices.SortStableFunc(entries, func(a, b *element) int { return cmp.Compare(priority(a), priority(b)) })
	for i, e := range entries {
		text := strings.TrimSpace(describe(e))
		if i > 0 && e.name == "rule" && priority(e) == priority(entries[i-1]) {
			text += ", at the priority of the one before"
		}
		lines = append(lines, line{text, e})
	}
	return lines
}

// line is an element of a sequence in words, with the entry of a filter where it
// is one.
type line struct {
	text  string
	entry *element
}

func plainLines(texts []string) []line {
	lines := make([]line, len(texts))
	for i, text := range texts {
		lines[i].text = text
	}
	return lines
}

// comment is the one of a rule, or empty.
func (e *element) comment() string {
	if e.name != "rule" || len(e.children) != 1 {
		return ""
	}
	return e.children[0].attributes["comment"]
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
	line
	added bool
}

func (e edit) difference(field string) Difference {
	if e.added {
		return Difference{Field: field, Desired: clip(e.text)}
	}
	return Difference{Field: field, Live: clip(e.text)}
}

// edits are the fewest that lead from one sequence to the other.
func edits(from, to []line) []edit {
	// Most of two filters is the same, and the table below grows by the product.
	for len(from) > 0 && len(to) > 0 && from[0].text == to[0].text {
		from, to = from[1:], to[1:]
	}
	for len(from) > 0 && len(to) > 0 && from[len(from)-1].text == to[len(to)-1].text {
		from, to = from[:len(from)-1], to[:len(to)-1]
	}
	// common[i][j] is the length of the longest common part of from[i:] and to[j:].
	common := make([][]int, len(from)+1)
	for i := range common {
		common[i] = make([]int, len(to)+1)
	}
	for i := len(from) - 1; i >= 0; i-- {
		for j := len(to) - 1; j >= 0; j-- {
			if from[i].text == to[j].text {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var list []edit
	for i, j := 0, 0; i < len(from) || j < len(to); {
		switch {
		case i < len(from) && j < len(to) && from[i].text == to[j].text:
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
