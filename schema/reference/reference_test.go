package reference

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"cuelang.org/go/cue/format"
	"github.com/google/go-cmp/cmp"

	"github.com/sbx-dev/sbx/schema"
)

var update = flag.Bool("update", false, "rewrite docs/profile.md")

const anew = "after a change of the schema's fields or comments, run: go test ./schema/reference -update"

// docs/profile.md has every field of the schema. One without a comment, a default
// or an example is named here.
func TestPage(t *testing.T) {
	page, err := Markdown()
	if err != nil {
		t.Fatalf("%v\n(%s)", err, anew)
	}
	const name = "../../docs/profile.md"
	if *update {
		if err := os.WriteFile(name, page, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(have), string(page)); d != "" {
		t.Errorf("docs/profile.md is not what the schema says; %s\n(-have +want):\n%s", anew, d)
	}
}

// The page's links lead to headings that are there, one each.
func TestLinks(t *testing.T) {
	page, err := Markdown()
	if err != nil {
		t.Fatal(err)
	}
	var anchors []string
	for _, m := range regexp.MustCompile(`(?m)^##+ (.*)$`).FindAllSubmatch(page, -1) {
		anchors = append(anchors, anchor(string(m[1])))
	}
	slices.Sort(anchors)
	if n := len(slices.Compact(slices.Clone(anchors))); n != len(anchors) {
		t.Errorf("%d headings have the same anchor as another: %q", len(anchors)-n, anchors)
	}
	for _, m := range regexp.MustCompile(`\]\(#([^)]*)\)`).FindAllSubmatch(page, -1) {
		if !slices.Contains(anchors, string(m[1])) {
			t.Errorf("no heading is #%s", m[1])
		}
	}
}

// Every field of the Go structs is in the reference: the walk leaves none out.
func TestEveryFieldIsThere(t *testing.T) {
	known := map[string]bool{}
	for _, s := range sections(t) {
		for _, f := range s.Fields {
			known[s.Definition+"."+f.Name] = true
		}
	}
	for name, v := range map[string]any{
		"#Profile": schema.Profile{}, "#Run": schema.Run{}, "#Ready": schema.Ready{}, "#Health": schema.Health{},
		"#HTTP": schema.HTTP{}, "#Stop": schema.Stop{}, "#Mount": schema.Mount{}, "#Secret": schema.Secret{},
		"#Network": schema.Network{}, "#Publish": schema.Publish{}, "#Subnet": schema.Subnet{}, "#Route": schema.Route{},
		"#Rule": schema.Rule{}, "#Match": schema.Match{}, "#Resources": schema.Resources{}, "#Users": schema.Users{},
		"#Machine": schema.Machine{}, "#Test": schema.Test{},
	} {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
			if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag != "-" && !f.Anonymous && !known[name+"."+tag] {
				t.Errorf("the reference has no %s.%s", name, tag)
			}
		}
	}
}

// What a comment leaves out is an error that names the field.
func TestMissing(t *testing.T) {
	for _, c := range []struct{ remove, want string }{
		{"// pids is the most processes and threads at once.", "#Resources.pids has no comment"},
		{"(default: 1024)", "#Resources.pids has no default"},
		{"//\tpids: 200", "#Resources.pids has no example"},
		{"// #Resources is the most of the host that a sandbox may consume.", "#Resources has no comment"},
	} {
		files := schema.Files()
		if !strings.Contains(string(files["profile.cue"]), c.remove) {
			t.Fatalf("profile.cue has no %q any more", c.remove)
		}
		files["profile.cue"] = []byte(strings.Replace(string(files["profile.cue"]), c.remove, "//", 1))
		if _, err := read(parse(files)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("without %q: %v", c.remove, err)
		}
	}
}

// Each example is part of a profile that loads, and gives the field that it is of.
func TestExamples(t *testing.T) {
	all := sections(t)
	for _, s := range all {
		for _, f := range s.Fields {
			t.Run(f.Path, func(t *testing.T) {
				if usual, err := format.Source([]byte(f.Example)); err != nil || string(bytes.TrimSpace(usual)) != f.Example {
					t.Errorf("%v: the usual form of the example is\n%s", err, usual)
				}
				text := surround(t, all, &s, f.Example)
				p, err := loaded(f.Backend, text)
				if err != nil {
					t.Fatalf("%v\nin\n%s", err, text)
				}
				if _, given := value(t, p, f.Path); !given && f.Default != "false" {
					t.Errorf("the example does not give %s:\n%s", f.Path, text)
				}
			})
		}
	}
}

// A field that one backend alone has is refused by the other.
func TestBackendsAreTrue(t *testing.T) {
	all := sections(t)
	for _, s := range all {
		for _, f := range s.Fields {
			other := map[string]string{"lxc": "kvm", "kvm": "lxc"}[f.Backend]
			if other == "" {
				continue
			}
			if _, err := loaded(other, surround(t, all, &s, f.Example)); err == nil {
				t.Errorf("%s is said to be %s, and %s takes it", f.Path, f.Backends(), other)
			}
		}
	}
}

// The defaults that the comments name as values are those that are filled in; of a
// field that has none, nothing is.
func TestDefaultsAreTrue(t *testing.T) {
	all := sections(t)
	for _, s := range all {
		for _, f := range s.Fields {
			if f.Default == "" {
				continue
			}
			p, err := loaded(f.Backend, surround(t, all, &s, without(&f)))
			if err != nil {
				t.Errorf("%s left out: %v", f.Path, err)
				continue
			}
			got, given := value(t, p, f.Path)
			var want any
			switch literal := json.Unmarshal([]byte(f.Default), &want) == nil; {
			case literal && want == false:
				if given && got != false {
					t.Errorf("%s left out is %v, and its comment says %s", f.Path, got, f.Default)
				}
			case literal && got != want:
				t.Errorf("%s left out is %v, and its comment says %s", f.Path, got, f.Default)
			case strings.HasPrefix(f.Default, "none") && given:
				t.Errorf("%s left out is %v, and its comment says %s", f.Path, got, f.Default)
			}
		}
	}
}

func TestFind(t *testing.T) {
	all := sections(t)
	for _, c := range []struct{ path, field, below string }{
		{"network", "network", "#Network"},
		{"network.allow", "network.allow", "#Rule"},
		{"network.allow[].from", "network.allow[].from", ""},
		{"network.allow.from", "network.allow[].from", ""},
		{"networks.outside.allow", "", ""}, // a key cannot be told from a field
		{`mounts."/run".tmpfs`, "mounts.PATH.tmpfs", ""},
		{"mounts.PATH.tmpfs", "mounts.PATH.tmpfs", ""},
		{"mounts", "mounts", "#Mount"},
		{"run.health.http.port", "run.ready.http.port", ""},
		{"nothing", "", ""},
		{"", "", ""},
	} {
		f, below := Find(all, c.path)
		var field, section string
		if f != nil {
			field = f.Path
		}
		if below != nil {
			section = below.Definition
		}
		if field != c.field || section != c.below {
			t.Errorf("Find(%q) = %q, %q; want %q, %q", c.path, field, section, c.field, c.below)
		}
	}
}

func sections(t *testing.T) []Section {
	t.Helper()
	all, err := Sections()
	if err != nil {
		t.Fatal(err)
	}
	return all
}
