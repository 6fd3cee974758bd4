package schema_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/schema"
)

// IsName is what #Name says, for every text of three characters and for long ones.
func TestIsNameIsWhatTheSchemaSays(t *testing.T) {
	text := regexp.MustCompile(`#Name: =~"([^"]+)"`).FindSubmatch(schema.Files()["values.cue"])
	if text == nil {
		t.Fatal("the schema has no pattern for #Name")
	}
	pattern := regexp.MustCompile(string(text[1]))
	texts := []string{"", strings.Repeat("a", 62), strings.Repeat("a", 63), strings.Repeat("a", 64), strings.Repeat("a", 62) + "-", "a" + strings.Repeat("-", 61) + "0"}
	marks := []string{"", "a", "z", "A", "0", "9", "-", "_", ".", "\n", "é", "{", "`", "/", ":"}
	for _, a := range marks {
		for _, b := range marks {
			for _, c := range marks {
				texts = append(texts, a+b+c)
			}
		}
	}
	for _, name := range texts {
		if got, want := schema.IsName(name), pattern.MatchString(name); got != want {
			t.Errorf("%q: %v, and by the schema %v", name, got, want)
		}
	}
}
