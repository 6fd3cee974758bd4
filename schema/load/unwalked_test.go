package load_test

import (
	"slices"
	"testing"
	"testing/fstest"

	"github.com/sbx-dev/sbx/schema/load"
)

func TestUnwalkedFilesAreListed(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	tree := fstest.MapFS{
		"cue.mod/module.cue":        file(`module: "example.org/x@v0"` + "\n" + `language: version: "v0.15.0"`),
		"web.cue":                   file("package web"),
		"web_test.cue":              file("package web"),
		"plain.json":                file("{}"),
		"below/db.yaml":             file("a: 1"),
		"below/db.txt":              file("a: 1"),
		"_p/x.cue":                  file("package x"),
		"below/.p/deep/x.cue":       file("package x"),
		"testdata/x.cue":            file("package x"),
		".hidden.cue":               file("package x"),
		"_hidden.cue":               file("package x"),
		"cue.mod/gen/x/x.cue":       file("package x"),
		"ignored.cue":               file("@ignore()\npackage x"),
		"if-prod.cue":               file("@if(prod)\npackage x"),
		"if-not-prod.cue":           file("@if(!prod)\npackage x"),
		"if-both.cue":               file("@if(prod && (test || dev))\npackage x"),
		"if-odd.cue":                file("@if(prod+1)\npackage x"),
		"if-inside-a-string.cue":    file("package x\na: \"@if(prod)\""),
		"broken-is-for-loading.cue": file("package x\n{"),
	}
	for tags, want := range map[string][]string{
		"":     {"if-both.cue", "if-odd.cue", "if-prod.cue", "ignored.cue"},
		"prod": {"if-both.cue", "if-not-prod.cue", "if-odd.cue", "ignored.cue"},
	} {
		c := &load.Config{FS: tree}
		if tags != "" {
			c.Tags = []string{tags}
		}
		list, err := c.Unwalked(".")
		if err != nil {
			t.Fatal(err)
		}
		var tagged, others []string
		for _, u := range list {
			if u.Tagged {
				tagged = append(tagged, u.Name)
			} else {
				others = append(others, u.Name)
			}
		}
		if !slices.Equal(tagged, want) {
			t.Errorf("with %q, left out are %q, want %q", tags, tagged, want)
		}
		all := []string{".hidden.cue", "_hidden.cue", "_p/x.cue", "below/.p/deep/x.cue", "below/db.yaml", "cue.mod/gen/x/x.cue", "plain.json", "testdata/x.cue"}
		if !slices.Equal(others, all) {
			t.Errorf("unwalked are %q, want %q", others, all)
		}
	}
	below, err := (&load.Config{FS: tree}).Unwalked("below")
	if err != nil || len(below) != 2 || below[0].Name != ".p/deep/x.cue" || below[0].Arg != "below/.p/deep/x.cue" {
		t.Errorf("below: %v, %v", below, err)
	}
}
