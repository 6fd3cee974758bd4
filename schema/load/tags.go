package load

import (
	"cmp"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"

	"github.com/sbx-dev/sbx/schema/diag"
)

// Tag is an @tag of a profile, which a verb's --tag sets.
type Tag struct {
	Key    string   `json:"key"`
	Type   string   `json:"type"`             // string, int, number or bool
	Values []string `json:"values,omitempty"` // the short forms
	Field  string   `json:"field"`
	Pos    diag.Pos `json:"pos"`
}

// TagsOf lists the @tags in the files of the profiles that args name, in the
// order of their places.
func (c *Config) TagsOf(args ...string) (tags []Tag, err error) {
	targets, err := c.targets(args)
	if err != nil {
		return nil, asList(err)
	}
	untagged := *c
	untagged.Tags = nil
	for _, t := range targets {
		inst, err := untagged.build(t, full)
		if err != nil {
			return nil, diagnoseLoad(t, err)
		}
		for _, f := range inst.Files {
			tags = append(tags, fileTags(t.project, f)...)
		}
	}
	slices.SortFunc(tags, func(a, b Tag) int {
		return cmp.Or(strings.Compare(a.Pos.File, b.Pos.File), cmp.Compare(a.Pos.Line, b.Pos.Line), strings.Compare(a.Key, b.Key))
	})
	return slices.CompactFunc(tags, func(a, b Tag) bool { return a.Pos == b.Pos && a.Key == b.Key }), nil
}

func fileTags(p *project, f *ast.File) (tags []Tag) {
	src := &source{project: p}
	ast.Walk(f, func(n ast.Node) bool {
		field, ok := n.(*ast.Field)
		if !ok {
			return true
		}
		for _, a := range field.Attrs {
			if key, body := a.Split(); key == "tag" {
				tag := parseTag(body)
				tag.Field, _, _ = ast.LabelName(field.Label)
				tag.Pos = src.nodePos(field.Label)
				tags = append(tags, tag)
			}
		}
		return true
	}, nil)
	return tags
}

// parseTag reads what stands in @tag(…), as in "port,type=int".
func parseTag(body string) Tag {
	parts := strings.Split(body, ",")
	t := Tag{Key: strings.TrimSpace(parts[0]), Type: "string"}
	for _, p := range parts[1:] {
		switch key, value, _ := strings.Cut(strings.TrimSpace(p), "="); key {
		case "type":
			t.Type = value
		case "short":
			t.Values = strings.Split(value, "|")
		}
	}
	return t
}
