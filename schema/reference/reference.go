// Package reference tells what each field of a profile is: its type, its default,
// the backends that know it, and an example. All of it is read out of the schema
// and its comments, so that it cannot say anything else than the schema does.
//
// A field's comment is prose, with its default as "(default: …)" and with
// "lxc only." or "kvm only." where one backend alone has it, and then, indented by
// a tab, an example:
//
//	// pids is the most processes and threads at once. (default: 1024)
//	//
//	//	pids: 200
//	pids?: int & >=1
package reference

import "strings"

// Section is a struct of the language.
type Section struct {
	Definition string   // its name in the schema, "#Rule"
	Places     []string // the paths where it stands: "network.allow[]"; "" is the profile itself
	Doc        string   // what the definition's comment says
	OneOf      []string // exactly one of these fields is given; none where that is no matter
	Fields     []Field
}

// Field is one field of a section.
type Field struct {
	Name     string
	Path     string // at the section's first place: "network.allow[].from"
	Doc      string // one line for each paragraph
	Type     string // in words, with CUE in backquotes
	Required bool
	OneOf    bool   // it is among the section's OneOf
	Default  string // as the comment has it; "" where the field is required or OneOf
	Backend  string // "lxc" or "kvm" where one alone has it, else ""
	Example  string // fields of the section, in CUE
}

// Sections lists the structs that a profile is made of, the profile itself first.
// Of a schema whose comments leave something out, it is an error that names the
// fields and says what to add.
func Sections() ([]Section, error) { return read(definitions()) }

// Find gives the field at a path, such as "network.allow.from", and the section
// that it heads, if it is a struct or holds such. Keys and indices may be left
// out of the path or not: "mounts.host", "mounts.PATH.host" and
// `mounts."/run".host` are the same.
func Find(sections []Section, path string) (field *Field, below *Section) {
	for i := range sections {
		for j := range sections[i].Fields {
			f := &sections[i].Fields[j]
			for _, place := range sections[i].Places {
				if matches(path, join(place, f.Name)) {
					return f, headedBy(sections, join(place, f.Name))
				}
			}
		}
	}
	return nil, nil
}

// headedBy is the section that stands at a field's path, or in its list or map.
func headedBy(sections []Section, path string) *Section {
	for i := range sections {
		for _, place := range sections[i].Places {
			rest, ok := strings.CutPrefix(place, path)
			if ok && (rest == "" || rest == "[]" || isKey(strings.TrimPrefix(rest, "."))) {
				return &sections[i]
			}
		}
	}
	return nil
}

// matches compares a path that somebody has typed with one of the reference.
func matches(typed, path string) bool { return typed == path || words(typed) == words(path) }

// words are the names of fields in a path, without keys and indices.
func words(path string) string {
	var names []string
	for _, part := range split(path) {
		name, _, _ := strings.Cut(part, "[")
		if name != "" && !isKey(name) && !strings.HasPrefix(name, `"`) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ".")
}

// split cuts a path at the dots that stand outside of quotes.
func split(path string) []string {
	quoted := false
	return strings.FieldsFunc(path, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return r == '.' && !quoted
	})
}

// isKey reports whether a part of a path stands for any key: "PATH".
func isKey(part string) bool { return part != "" && strings.ToUpper(part) == part }

func join(place, name string) string {
	if place == "" {
		return name
	}
	return place + "." + name
}
