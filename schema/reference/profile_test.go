package reference

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/load"
)

// loaded reads a profile that consists of the fields in text.
func loaded(backend, text string) (*schema.Profile, error) {
	if backend == "" {
		backend = "lxc"
	}
	text = "package p\n\nimport \"" + schema.ImportPath + "\"\n\nschema.#Profile & {\n" + text + "\n}\n"
	text = strings.Replace(text, `backend: "lxc"`, `backend: "`+backend+`"`, 1)
	found, err := (&load.Config{Stdin: strings.NewReader(text)}).Load("-")
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// surround puts fields of a section into a profile: whatever else each struct
// around them must have is taken from the examples.
func surround(t *testing.T, all []Section, s *Section, text string) string {
	t.Helper()
	place := s.Places[0]
	text = complete(s, text)
	if place == "" {
		return text
	}
	text = "\t" + strings.ReplaceAll(text, "\n", "\n\t") // gives looks at the outermost level
	parent, name := parentOf(t, all, place)
	switch rest := place[strings.LastIndex(place, name)+len(name):]; {
	case rest == "[]":
		text = name + ": [{\n" + text + "\n}]"
	case strings.HasSuffix(rest, ".PATH"):
		text = name + ": \"/srv/data\": {\n" + text + "\n}"
	case rest != "":
		text = name + ": outside: {\n" + text + "\n}"
	default:
		text = name + ": {\n" + text + "\n}"
	}
	return surround(t, all, parent, text)
}

// parentOf finds the field that holds a place.
func parentOf(t *testing.T, all []Section, place string) (*Section, string) {
	t.Helper()
	for i := range all {
		for _, f := range all[i].Fields {
			if rest, ok := strings.CutPrefix(place, f.Path); ok && (rest == "" || rest == "[]" || isKey(strings.TrimPrefix(rest, "."))) {
				return &all[i], f.Name
			}
		}
	}
	t.Fatalf("no field holds %s", place)
	return nil, ""
}

// complete adds the examples of the fields that a section cannot be without.
func complete(s *Section, text string) string {
	one := slices.ContainsFunc(s.OneOf, func(name string) bool { return gives(text, name) })
	for _, f := range s.Fields {
		switch {
		case f.Required && !gives(text, f.Name):
			text += "\n" + f.Example
		case f.OneOf && !one:
			text, one = text+"\n"+f.Example, true
		}
	}
	if s.Definition == "#Network" && gives(text, "routes") && !gives(text, "address") {
		text += "\naddress: \"10.83.0.80/24\""
	}
	if s.Definition == "#Profile" && strings.Contains(text, "\tcapabilities: ") {
		text += "\ncapabilities: [\"net_bind_service\"]" // of which the run's are some
	}
	if s.Definition == "#Profile" && gives(text, "tests") && !gives(text, "network") {
		text += "\nnetworks: outside: {attach: \"default\", dhcp: true}"
	}
	return text
}

// without is what the example of a field says besides the field.
func without(f *Field) string {
	var keep []string
	inside := false
	for line := range strings.Lines(f.Example) {
		switch {
		case gives(line, f.Name):
			inside = true
		case inside && !regexp.MustCompile(`^[a-z]`).MatchString(line): // it goes on
		default:
			keep, inside = append(keep, line), false
		}
	}
	return strings.Join(keep, "")
}

// gives reports whether a text gives a field at its outermost level.
func gives(text, name string) bool {
	return regexp.MustCompile(`(?m)^` + name + `\b[^"\n]*:`).MatchString(text)
}

// value is what a profile has at a path of the reference, with any keys and the
// first elements of lists.
func value(t *testing.T, p *schema.Profile, path string) (v any, given bool) {
	t.Helper()
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	for part := range strings.SplitSeq(path, ".") {
		name, list := strings.CutSuffix(part, "[]")
		m, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if isKey(name) {
			for _, any := range m {
				v = any
			}
			continue
		}
		if v, ok = m[name]; !ok {
			return nil, false
		}
		if elems, ok := v.([]any); list && ok && len(elems) > 0 {
			v = elems[0]
		}
	}
	return v, true
}
