package explain

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/internal/pattern"
	"github.com/sbx-dev/sbx/schema"

	"cuelang.org/go/cue/errors"

	"github.com/sbx-dev/sbx/schema/diag"
)

// rawErrors turns CUE's own errors into diagnostics, one for each value.
type rawErrors struct {
	src      Source
	tags     []string
	fallback diag.Pos
	bad      map[string]bool
	whole    bool // the whole value is an error, so that nothing more can be said
	list     diag.List
}

func (r *rawErrors) add(err error) {
	r.bad = make(map[string]bool)
	byPath := make(map[string][]errors.Error)
	var order []string
	for _, e := range errors.Errors(err) {
		at := cuePath(e.Path())
		if at == "" {
			at = fmt.Sprintf("\x00%v", e.Position()) // several mistakes may have no path
		}
		if byPath[at] == nil {
			order = append(order, at)
		}
		byPath[at] = append(byPath[at], e)
	}
	cycle := false
	for _, at := range order {
		group := byPath[at]
		if at[0] == 0 {
			at = ""
			r.whole = true
		}
		r.bad[at] = true
		d := r.diagnostic(at, group)
		if d.Code == diag.Cycle && cycle {
			continue // every value of a cycle reports it
		}
		cycle = cycle || d.Code == diag.Cycle
		r.list = append(r.list, d)
	}
	r.list = slices.DeleteFunc(r.list, func(d *diag.Diagnostic) bool {
		return strings.HasSuffix(d.Path, "]") && r.bad[schema.FieldOf(d.Path)] // the list was reported as a whole
	})
	if cycle { // what takes part in it has no value, which is not another mistake
		r.list = slices.DeleteFunc(r.list, func(d *diag.Diagnostic) bool { return d.Code != diag.Cycle })
	}
}

// diagnostic makes one of all errors of a value. Of a disjunction that fits
// nowhere, the alternatives' errors come with a summary before them.
func (r *rawErrors) diagnostic(at string, group []errors.Error) *diag.Diagnostic {
	if len(group) > 1 {
		group = slices.DeleteFunc(slices.Clone(group), func(e errors.Error) bool {
			format, _ := e.Msg()
			return strings.Contains(format, "errors in empty disjunction")
		})
	}
	e := group[0]
	format, args := e.Msg()
	text := fmt.Sprintf(format, args...)
	if text == "" || strings.HasPrefix(text, "import failed") || strings.HasPrefix(text, "@") {
		text = e.Error()
	}
	d := &diag.Diagnostic{Severity: diag.Error, Path: at, Message: text, Code: diag.Malformed}
	for _, c := range rawClasses {
		if c.text().MatchString(text) {
			d.Code = c.code
			d.Message = c.text().ReplaceAllString(text, c.message)
			d.Help = c.help
			break
		}
	}
	if coded().MatchString(text) {
		d.Code, d.Message, d.Help = explain(text, "the value")
	}
	if d.Code == diag.Import {
		d.Path = "" // CUE gives the package in its place
	}
	if name, ok := strings.CutPrefix(text, "undefined field: "); ok {
		d.Help = suggestDefinition(name)
	}
	r.place(d, group)
	return d
}

// place sets where a diagnostic points: to the profile's own value, with a note
// at the rule that refuses it, or at what else is said of the same value.
func (r *rawErrors) place(d *diag.Diagnostic, group []errors.Error) {
	places := r.places(group)
	d.Pos = r.primary(d.Path, places)
	for _, e := range group {
		for _, p := range errors.Positions(e) {
			if r.src.IsRule(r.src.At(p)) {
				d.Code, d.Help = diag.Rule, ""
				d.Notes = []diag.Note{{Pos: r.src.At(p), Message: "the rule is here"}}
				return
			}
		}
	}
	if d.Code != diag.Conflict {
		return
	}
	for _, at := range r.src.Again(d.Path) {
		d.Notes = append(d.Notes, diag.Note{Pos: at, Message: "another value is given here"})
	}
	for _, p := range places {
		if len(d.Notes) == 0 && (p.File != d.Pos.File || p.Line != d.Pos.Line) && p != r.src.First() {
			d.Notes = append(d.Notes, diag.Note{Pos: p, Message: "the other side of the conflict"})
		}
	}
}

// places are the user's own files' positions of a group of errors.
func (r *rawErrors) places(group []errors.Error) (list []diag.Pos) {
	for _, e := range group {
		for _, p := range errors.Positions(e) {
			at := r.src.At(p)
			if at.File == "" || strings.HasPrefix(at.File, Builtin) || slices.Contains(list, at) {
				continue
			}
			list = append(list, at)
		}
	}
	return list
}

// primary is where a person looks first: the profile's own value, else the
// position that CUE names.
func (r *rawErrors) primary(at string, places []diag.Pos) diag.Pos {
	if at != "" {
		if p, ok := r.src.Written(at); ok {
			return p
		}
	}
	if len(places) > 0 {
		return places[0]
	}
	if r.fallback.File != "" {
		return r.fallback
	}
	return r.src.Pos(at)
}

const embedHelp = "files can be embedded from the folder of the CUE file and below it"

// rawClasses recognise CUE's messages.
var rawClasses = []struct {
	text                func() *regexp.Regexp
	code, message, help string
}{
	{pattern.Of(`^conflicting values (.*) and (.*) \(mismatched types (.*) and (.*)\)$`), diag.Conflict, "is both $1 and $2", "two places give different values; keep one"},
	{pattern.Of(`^conflicting values (.*) and (.*)$`), diag.Conflict, "is both $1 and $2", "two places give different values; keep one"},
	{pattern.Of(`^incompatible list lengths \((\d+) and (\d+)\)$`), diag.Conflict, "is a list of $1 and of $2 entries", "lists are not joined: two places must give the same list"},
	{pattern.Of(`^invalid value (.*) \(out of bound (.*)\)$`), diag.Conflict, "$1 does not satisfy $2", "a rule that is unified with the profile refuses it"},
	{pattern.Of(`^reference "schema" not found$`), diag.Reference, "nothing here is called schema", `add import "` + schema.ImportPath + `" above`},
	{pattern.Of(`^reference "(.*)" not found$`), diag.Reference, "nothing here is called $1", "declare it, import its package, or put it in quotes if it is a word"},
	{pattern.Of(`^undefined field: (.*)$`), diag.Reference, "there is no field $1 to refer to", ""},
	{pattern.Of(`^imported and not used: (.*)$`), diag.Import, "$1 is imported and not used", "remove the import, or unify the profile with schema.#Profile"},
	{pattern.Of(`^.*structural cycle.*$`), diag.Cycle, "contains itself", "a value cannot be made of itself"},
	{pattern.Of(`^.*cycle.*$`), diag.Cycle, "depends on itself", "give one of the values of the cycle"},
	{pattern.Of(`^field not allowed$`), diag.Unknown, "is not a field of the definition that it is unified with", ""},
	{pattern.Of(`(?s)^.*cannot find package ("[^"]*").*$`), diag.Import, "package $1 cannot be imported", "only CUE's own packages, the project's and " + schema.ImportPath + " can be imported"},
	{pattern.Of(`(?s)^.*builtin package (".*") undefined.*$`), diag.Import, "package $1 cannot be imported", "only CUE's own packages, the project's and " + schema.ImportPath + " can be imported"},
	{pattern.Of(`(?s)^.*import failed: (.*)$`), diag.Import, "an import fails: $1", ""},
	{pattern.Of(`^(invalid .* for injection tag .*)$`), diag.Tag, "$1", "`sbx vet --tags` lists the tags of a profile and their types"},
	{pattern.Of(`^no tag for "(.*)"$`), diag.Tag, "no field of the profile has @tag($1)", "`sbx vet --tags` lists the tags of a profile"},
	{pattern.Of(`^@embed: open (.*?): (.*)$`), diag.Embed, "$1 cannot be embedded: $2", embedHelp},
	{pattern.Of(`^@embed: (.*)$`), diag.Embed, "the file cannot be embedded: $1", embedHelp},
	{pattern.Of(`^(cannot embed .*)$`), diag.Embed, "$1", embedHelp},
	{pattern.Of(`^explicit error \(_\|_ literal\) in source$`), diag.Rule, "is not allowed here", ""},
	{pattern.Of(`^non-concrete value (.*) in operand to (.*)$`), diag.Incomplete, "needs the value of something that is only known to be $1", ""},
	{pattern.Of(`^incomplete value (.*)$`), diag.Incomplete, "has no value: it is only known to be $1", ""},
}

// cuePath joins the steps of an error of CUE's.
func cuePath(steps []string) string {
	var b strings.Builder
	for i, s := range steps {
		switch {
		case s != "" && strings.Trim(s, "0123456789") == "":
			b.WriteString("[" + s + "]")
			continue
		case i > 0:
			b.WriteByte('.')
		}
		b.WriteString(s)
	}
	return b.String()
}
