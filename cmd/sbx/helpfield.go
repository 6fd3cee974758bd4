package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/sbx-dev/sbx/schema/reference"
)

// findField is the field of profiles that a word is, unless it is a verb.
func findField(word string) (*reference.Field, *reference.Section, error) {
	if _, verb := verbField(word); verb {
		return nil, nil, nil
	}
	sections, err := reference.Sections()
	if err != nil {
		return nil, nil, err
	}
	field, below := reference.Find(sections, word)
	if field == nil && strings.Contains(word, ".") {
		return nil, nil, fmt.Errorf("profiles have no field %q; \"sbx schema --format markdown\" lists those that there are", word)
	}
	return field, below, nil
}

// printField shows a field, and those below it by name.
func printField(w io.Writer, f *reference.Field, below *reference.Section) error {
	fmt.Fprintf(w, "%s\n\n", f.Path)
	for line := range strings.SplitSeq(f.Doc, "\n") {
		fmt.Fprintf(w, "%s\n", wrap(line, 80))
	}
	fmt.Fprintln(w)
	for _, row := range [][2]string{{"type", f.Type}, {"default", f.Otherwise()}, {"backend", f.Backends()}} {
		fmt.Fprintf(w, "%-9s%s\n", row[0], strings.ReplaceAll(wrap(strings.ReplaceAll(row[1], "`", ""), 71), "\n", "\n         "))
	}
	fmt.Fprintf(w, "\nExample:\n%s\n", indent(f.Example))
	if below == nil {
		return nil
	}
	fmt.Fprintf(w, "\nFields:\n")
	for _, sub := range below.Fields {
		fmt.Fprintf(w, "    sbx help %s\n", typedPath(sub))
	}
	return nil
}

// typedPath is a field's path as one types it: brackets are the shell's.
func typedPath(f reference.Field) string { return strings.ReplaceAll(f.Path, "[]", "") }

// fieldNames are the fields that can be asked for; none where the schema's comments
// leave something out, which a test finds.
func fieldNames() (names []string) {
	sections, err := reference.Sections()
	if err != nil {
		return nil
	}
	for _, s := range sections {
		for _, f := range s.Fields {
			names = append(names, typedPath(f))
		}
	}
	return names
}
