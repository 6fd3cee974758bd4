// Package explain says what is wrong with a profile in words: of a value what the schema
// wants in its place, and of what CUE alone finds what its errors mean.
package explain

import (
	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/token"

	"github.com/sbx-dev/sbx/schema/diag"
)

// Builtin begins the display name of the schema's own files.
const Builtin = "sbx:"

// Source finds where in a person's files something stands.
type Source interface {
	Pos(path string) diag.Pos
	At(token.Pos) diag.Pos
	First() diag.Pos                                // where the profile begins
	Label(path string) diag.Pos                     // where a field's name stands
	Written(path string) (pos diag.Pos, given bool) // the value that the files give
	Again(path string) []diag.Pos                   // other values of the same path
	IsRule(diag.Pos) bool                           // a rule that a person wrote refuses there
	TagHelp(path string) string                     // how to set what a tag gives
}

// Found is what is wrong.
type Found struct {
	List  diag.List
	Bad   map[string]bool // paths that it speaks of, or whose parents it does
	Whole bool            // the whole value is an error, so that nothing more can be said
}

// Errors words CUE's own errors, one diagnostic for each value. Tags are those that the
// profile was given; fallback is where to look when no file is named.
func Errors(src Source, tags []string, fallback diag.Pos, err error) Found {
	r := &rawErrors{src: src, tags: tags, fallback: fallback}
	r.add(err)
	return Found{r.list, r.bad, r.whole}
}

// Schema is what values are held against.
type Schema struct {
	Definitions cue.Value // the schema's package
	Profile     cue.Value
	// Takes gives the data of a rule with which nothing is wrong: it is asked first,
	// since CUE takes long over each.
	Takes func(rule cue.Value) (data any, ok bool)
}

// Values adds what is wrong with each value by itself, and gives those with which
// nothing is, as JSON would hold them.
func (f *Found) Values(src Source, s Schema, v cue.Value) (data any) {
	w := &walker{src: src, ctx: cuecontext.New(), defs: s.Definitions, takes: s.Takes, bad: f.Bad, list: f.List, slips: make(map[string][]string)}
	w.top = w.ctx.CompileString("_")
	data, _ = w.value("", s.Profile, v)
	f.List, f.Bad = w.list, w.bad
	return data
}
