package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/profiles"
	"github.com/sbx-dev/sbx/runtime"
)

// completeCmd answers a shell that asks how the last of some words goes on. A
// shell falls back to file names where nothing is printed.
type completeCmd struct {
	Words []string `arg:"" optional:"" passthrough:""`
}

func (c *completeCmd) Run(a *verb.App, k *kong.Kong) error {
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	if len(words) == 0 {
		words = []string{""}
	}
	last := words[len(words)-1]
	for _, candidate := range candidates(k.Model, words[:len(words)-1], last) {
		if strings.HasPrefix(candidate, last) {
			say.Fprintln(a.Stdout, candidate)
		}
	}
	return nil
}

// candidates are all words that can follow before, whatever they begin with.
func candidates(model *kong.Application, before []string, last string) []string {
	verb := findVerb(model, before)
	switch {
	case verb == nil:
		return verbNames(model)
	case len(before) > 0 && flagNamed(verb, before[len(before)-1]) != nil:
		return flagNamed(verb, before[len(before)-1]).EnumSlice()
	case strings.HasPrefix(last, "-"):
		return flagNames(verb)
	case verb.Name == "help":
		return append(verbNames(model), fieldNames()...)
	case len(verb.Positional) == 0:
		return nil
	}
	switch p := verb.Positional[0]; p.Name {
	case "profile":
		return profileNames()
	case "name", "sandbox":
		return sandboxNames()
	default:
		return p.EnumSlice()
	}
}

func findVerb(model *kong.Application, words []string) *kong.Node {
	for _, w := range words {
		for _, n := range model.Children {
			if n.Name == w {
				return n
			}
		}
	}
	return nil
}

func verbNames(model *kong.Application) (names []string) {
	for _, n := range verbs(model) {
		names = append(names, n.Name)
	}
	return names
}

// flagNamed is the flag that word is, if it takes the next word as its value.
func flagNamed(verb *kong.Node, word string) *kong.Flag {
	for _, f := range verb.Flags {
		if !f.IsBool() && (word == "--"+f.Name || f.Short != 0 && word == "-"+string(f.Short)) {
			return f
		}
	}
	return nil
}

func flagNames(verb *kong.Node) (names []string) {
	for _, f := range verb.Flags {
		if !f.Hidden {
			names = append(names, "--"+f.Name)
		}
	}
	return names
}

// profileNames are the bare names that FindProfile would find.
func profileNames() (names []string) {
	places := []fs.FS{os.DirFS("."), os.DirFS("profiles"), os.DirFS(verb.SystemProfiles), profiles.FS()}
	for _, place := range places {
		found, err := fs.Glob(place, "*.cue")
		if err != nil {
			continue
		}
		for _, file := range found {
			if !strings.HasSuffix(file, "_test.cue") {
				names = append(names, strings.TrimSuffix(filepath.Base(file), ".cue"))
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// sandboxNames are the sandboxes of this host; none where libvirt does not
// answer, because a shell that completes has nobody to tell.
func sandboxNames() (names []string) {
	host := runtime.New(runtime.Options{Log: func(string) {}})
	defer host.Close()
	list, err := host.List()
	if err != nil {
		return nil
	}
	for _, s := range list {
		names = append(names, s.Name)
	}
	return names
}
