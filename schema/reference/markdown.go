package reference

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

const intro = `# The fields of a profile

A profile is a struct of these fields. What it leaves out is closed, or has the default that stands here. The page is made from the schema's comments: ` + "`sbx schema --format markdown`" + ` prints that of the sbx that is installed, and ` + "`sbx help network.allow`" + ` shows one field. A test keeps it true, and each example on it is part of a profile that the test loads.

In a path, ` + "`[]`" + ` is an element of a list, and a word in capitals any key of a struct.

`

// Markdown is the reference of all fields as a page.
func Markdown() ([]byte, error) {
	sections, err := Sections()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(intro)
	for _, s := range sections {
		names := make([]string, len(s.Fields))
		for i, f := range s.Fields {
			names[i] = "[" + f.Name + "](#" + anchor(f.Path) + ")"
		}
		fmt.Fprintf(&b, "- [%s](#%s): %s\n", s.title(), anchor(s.heading()), strings.Join(names, ", "))
	}
	link := linker(sections)
	for _, s := range sections {
		s.write(&b, link)
	}
	return b.Bytes(), nil
}

// title is what the section is about.
func (s *Section) title() string {
	if s.Places[0] == "" {
		return "the profile"
	}
	return "`" + s.Places[0] + "`"
}

func (s *Section) heading() string { return "Fields of " + s.title() }

func (s *Section) write(b *bytes.Buffer, link func(string) string) {
	fmt.Fprintf(b, "\n## %s\n\n%s\n", s.heading(), s.Doc)
	if len(s.Places) > 1 {
		fmt.Fprintf(b, "\nThe same stand in `%s`.\n", strings.Join(s.Places[1:], "`, `"))
	}
	if s.OneOf != nil {
		fmt.Fprintf(b, "\nExactly one of `%s` is given.\n", strings.Join(s.OneOf, "`, `"))
	}
	for _, f := range s.Fields {
		fmt.Fprintf(b, "\n### %s\n\n%s\n\n- type: %s\n- default: %s\n- backend: %s\n\n```cue\n%s\n```\n",
			f.Path, strings.ReplaceAll(f.Doc, "\n", "\n\n"), link(f.Type), f.Otherwise(), f.Backends(), f.Example)
	}
}

// Otherwise says what holds where the field is left out.
func (f *Field) Otherwise() string {
	switch {
	case f.Required:
		return "none (it must be given)"
	case f.OneOf:
		return "none (one of several of which one must be given)"
	}
	if json.Valid([]byte(f.Default)) {
		return "`" + f.Default + "`"
	}
	return f.Default
}

// Backends says where the field may be given.
func (f *Field) Backends() string {
	if f.Backend == "" {
		return "lxc and kvm"
	}
	return f.Backend + " only"
}

// linker leads from the definitions in a type to their sections.
func linker(sections []Section) func(string) string {
	definition := regexp.MustCompile("`#[A-Za-z]+`")
	return func(text string) string {
		return definition.ReplaceAllStringFunc(text, func(name string) string {
			for i := range sections {
				if "`"+sections[i].Definition+"`" == name {
					return "[fields of " + sections[i].title() + "](#" + anchor(sections[i].heading()) + ")"
				}
			}
			return name
		})
	}
}

// anchor is how a heading is linked to, as the usual renderers make it.
func anchor(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z':
			return r
		}
		return -1
	}, strings.ToLower(heading))
}
