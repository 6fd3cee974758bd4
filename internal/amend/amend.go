// Package amend changes single values of a CUE file in its text, by the places where they
// stand, and leaves every other byte as it is.
package amend

import (
	"cmp"
	"slices"
	"strings"
)

// Edit is one change at a place.
type Edit struct {
	Line, Column int    // from 1; columns count bytes
	Insert       string // stands before what is at the place, as a line of its own where that begins one; empty: what is at the place goes
}

// Apply makes the changes, and gives those that it could not make.
func Apply(text string, edits []Edit) (changed string, left []Edit) {
	lines := strings.Split(text, "\n")
	edits = slices.Clone(edits)
	slices.SortStableFunc(edits, func(a, b Edit) int { // the last first, so that the places of the others hold
		return cmp.Or(cmp.Compare(b.Line, a.Line), cmp.Compare(b.Column, a.Column))
	})
	for _, e := range edits {
		if e.Line < 1 || e.Line > len(lines) || e.Column < 1 || e.Column > len(lines[e.Line-1]) {
			left = append(left, e)
			continue
		}
		at := e.Line - 1
		line, column := lines[at], e.Column-1
		switch {
		case e.Insert == "":
			rest, ok := without(line, column)
			if !ok {
				left = append(left, e)
				continue
			}
			if lines[at] = rest; strings.TrimSpace(rest) == "" {
				lines = slices.Delete(lines, at, at+1)
			}
		case strings.TrimSpace(line[:column]) == "":
			lines = slices.Insert(lines, at, line[:column]+e.Insert+",")
		default:
			lines[at] = line[:column] + e.Insert + ", " + line[column:]
		}
	}
	return strings.Join(lines, "\n"), left
}

// without is a line without the value, or field, that begins at the column, and without
// the comma that it leaves behind. It is not ok where the value goes on in another line.
func without(line string, column int) (rest string, ok bool) {
	end, ok := endOf(line, column)
	if !ok {
		return line, false
	}
	before, after := line[:column], line[end:]
	if tail, comma := strings.CutPrefix(after, ","); comma {
		after = strings.TrimPrefix(tail, " ")
	} else {
		before = strings.TrimSuffix(strings.TrimRight(before, " "), ",")
	}
	if strings.TrimSpace(before) == "" && strings.HasPrefix(strings.TrimSpace(after), "//") {
		after = "" // what was said of it
	}
	return before + after, true
}

// endOf is where the value ends that begins at the column: before the comma or bracket
// that no bracket and no quote of its own encloses, or a comment, or at the line's end.
func endOf(line string, column int) (end int, ok bool) {
	depth := 0
	for i := column; i < len(line); i++ {
		switch line[i] {
		case '"':
			close := closing(line, i)
			if close < 0 {
				return 0, false
			}
			i = close
		case '[', '{', '(':
			depth++
		case ']', '}', ')':
			if depth == 0 {
				return i, true
			}
			depth--
		case ',':
			if depth == 0 {
				return i, true
			}
		case '/':
			if depth == 0 && strings.HasPrefix(line[i:], "//") {
				return len(strings.TrimRight(line[:i], " \t")), true
			}
		}
	}
	return len(line), depth == 0
}

// closing is the quote that ends the text which begins at open; -1 where the line has none.
func closing(line string, open int) int {
	for i := open + 1; i < len(line); i++ {
		switch line[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}
