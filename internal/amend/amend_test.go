package amend

import (
	"strings"
	"testing"
)

// at is the place of the first such text.
func at(text, what, insert string) Edit {
	before := text[:strings.Index(text, what)]
	return Edit{Line: 1 + strings.Count(before, "\n"), Column: len(before) - strings.LastIndex(before, "\n"), Insert: insert}
}

func TestApply(t *testing.T) {
	const text = "a: [\n\t\"x,]\", // why\n\t\"y\",\n]\nb: [80, 443]\nc: [1]\nm: {\n\t\"/r\": {tmpfs: \"1\"}\n\t\"/s\": {\n\t}\n}\n"
	for _, c := range []struct {
		name string
		edit Edit
		from string
		to   string // what from becomes; "": it cannot be
	}{
		{"a line before one", at(text, `"y"`, `"w"`), "\t\"y\",\n", "\t\"w\",\n\t\"y\",\n"},
		{"within a line", at(text, "443", "81"), "80, 443", "80, 81, 443"},
		{"the first of a line", at(text, "80", "79"), "[80,", "[79, 80,"},
		{"away, with its line and what is said of it", at(text, `"x`, ""), "\t\"x,]\", // why\n", ""},
		{"away, the last of a line", at(text, "443", ""), "[80, 443]", "[80]"},
		{"away, the first of a line", at(text, "80", ""), "[80, 443]", "[443]"},
		{"away, the only one", at(text, "1]", ""), "c: [1]", "c: []"},
		{"a field away", at(text, `"/r"`, ""), "\t\"/r\": {tmpfs: \"1\"}\n", ""},
		{"a field in a line before one", at(text, `"/r"`, `"/q": {}`), "\t\"/r\"", "\t\"/q\": {},\n\t\"/r\""},
	} {
		got, left := Apply(text, []Edit{c.edit})
		if want := strings.Replace(text, c.from, c.to, 1); got != want || len(left) != 0 {
			t.Errorf("%s: %d left, and it becomes\n%s", c.name, len(left), got)
		}
	}
	for name, e := range map[string]Edit{"over several lines": at(text, `"/s"`, ""), "nowhere": {Line: 99, Column: 1}, "beyond its line": {Line: 1, Column: 99}} {
		if got, left := Apply(text, []Edit{e}); got != text || len(left) != 1 {
			t.Errorf("%s: %d left, and it becomes\n%s", name, len(left), got)
		}
	}
}

// Several changes at once do not move each other's places.
func TestApplySeveral(t *testing.T) {
	const text = "e: [\n\t\"a\",\n\t\"b\",\n]\np: [80, 443, 8080]\n"
	got, left := Apply(text, []Edit{at(text, `"a"`, ""), at(text, "80,", ""), at(text, "8080", ""), at(text, `"b"`, `"c"`)})
	if want := "e: [\n\t\"c\",\n\t\"b\",\n]\np: [443]\n"; got != want || len(left) != 0 {
		t.Errorf("%d left, and it becomes\n%s", len(left), got)
	}
}
