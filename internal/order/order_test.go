package order

import (
	"slices"
	"strings"
	"testing"
)

func TestOrder(t *testing.T) {
	for name, c := range map[string]struct {
		all    []Sandbox
		sorted string
		circle string
	}{
		"nothing between them":         {[]Sandbox{{Name: "b"}, {Name: "a"}}, "b a", ""},
		"after":                        {[]Sandbox{{Name: "a", After: []string{"b", "elsewhere"}}, {Name: "b"}}, "b a", ""},
		"a chain":                      {[]Sandbox{{Name: "a", After: []string{"b"}}, {Name: "b", After: []string{"c"}}, {Name: "c"}}, "c b a", ""},
		"who makes the network":        {[]Sandbox{{Name: "a", Uses: []string{"n"}}, {Name: "b", Creates: []string{"n"}, Uses: []string{"n"}}}, "b a", ""},
		"both make it":                 {[]Sandbox{{Name: "b", Creates: []string{"n"}, Uses: []string{"n"}}, {Name: "a", Creates: []string{"n"}, Uses: []string{"n"}}}, "b a", ""},
		"one of two makers is enough":  {[]Sandbox{{Name: "c", Creates: []string{"n"}, After: []string{"b"}}, {Name: "b", Uses: []string{"n"}}, {Name: "a", Creates: []string{"n"}}}, "a b c", ""},
		"a circle":                     {[]Sandbox{{Name: "a", After: []string{"b"}}, {Name: "b", After: []string{"a"}}, {Name: "c", After: []string{"a"}}}, "a b c", "a b"},
		"a circle by after and a link": {[]Sandbox{{Name: "z", After: []string{"x"}}, {Name: "x", Uses: []string{"n"}}, {Name: "y", Creates: []string{"n"}, After: []string{"x"}}}, "z x y", "x y"},
		"itself":                       {[]Sandbox{{Name: "a", After: []string{"a"}}}, "a", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var names []string
			for _, s := range c.all {
				names = append(names, s.Name)
			}
			before := Before(c.all)
			if got := strings.Join(Sort(names, before), " "); got != c.sorted {
				t.Errorf("sorted %q, want %q", got, c.sorted)
			}
			circle := Circle(names, before)
			slices.Sort(circle)
			if got := strings.Join(circle, " "); got != c.circle {
				t.Errorf("circle %q, want %q", got, c.circle)
			}
		})
	}
}
