package schema

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/parser"

	"github.com/sbx-dev/sbx/schema/diag"
)

// diagnose says all that is wrong with a target that the schema has refused with
// err. It holds every value of v, which is what the user's files say by
// themselves, against the schema; what that does not explain, CUE's own errors do.
func (c *Config) diagnose(e *evaluator, src *source, v cue.Value, err error) diag.List {
	own := &rawErrors{src: src, tags: c.Tags}
	own.add(v.Validate(cue.All()))
	if own.whole {
		return own.list
	}
	w := &walker{src: src, ctx: cuecontext.New(), defs: e.schema(), bad: own.bad, list: own.list, slips: make(map[string][]string)}
	w.top = w.ctx.CompileString("_")
	data, _ := w.value("", e.profile(), v)
	w.list = append(w.list, checkPartial(data, src, w.bad)...)
	if len(w.list) == 0 {
		rest := &rawErrors{src: src, tags: c.Tags}
		rest.add(err)
		return rest.list
	}
	return w.list
}

// diagnoseLoad says why the files could not be made one value: what does not
// parse, else what CUE's loader says.
func diagnoseLoad(t target, err error) diag.List {
	if list, ok := diag.From(err); ok {
		return list
	}
	if list := t.syntaxErrors(); len(list) > 0 {
		return list
	}
	raw := &rawErrors{src: newSource(t.project, nil), fallback: t.project.pos(path.Join(t.dir, path.Base(t.file)))}
	raw.add(err)
	return raw.list
}

// syntaxErrors parses the target's files anew, one error a file: what follows the
// first one is guesswork.
func (t target) syntaxErrors() (list diag.List) {
	s := t.session()
	src := newSource(t.project, nil)
	for _, name := range t.candidates(s) {
		data, err := s.read(name)
		if err != nil {
			list = append(list, asList(loadError(t.project.pos(name), err))...)
			continue
		}
		_, err = parser.ParseFile(t.project.display(name), data, parser.ParseComments)
		if err == nil {
			continue
		}
		e := errors.Errors(err)[0]
		pos := src.pos(e.Position())
		if pos.File == "" {
			pos = t.project.pos(name)
		}
		list = append(list, syntaxFault(pos, e))
	}
	return list
}

// syntaxFault words an error of the parser.
func syntaxFault(pos diag.Pos, e errors.Error) *diag.Diagnostic {
	format, args := e.Msg()
	text := fmt.Sprintf(format, args...)
	return &diag.Diagnostic{Pos: pos, Severity: diag.Error, Code: diag.Syntax, Message: plainSyntax(text), Help: syntaxHelp(text)}
}

// candidates are the CUE files that may belong to the target: its own, or all of
// its folder and of those above, because CUE reads each to know its package.
func (t target) candidates(s *session) (names []string) {
	if t.pkg == "" {
		if path.Ext(t.file) == ".cue" {
			return []string{t.file}
		}
		return nil
	}
	for dir := t.dir; ; dir = path.Dir(dir) {
		entries, err := fs.ReadDir(s, dir)
		for _, e := range entries {
			if name := path.Join(dir, e.Name()); err == nil && path.Ext(name) == ".cue" && !e.IsDir() {
				names = append(names, name)
			}
		}
		if dir == "." {
			return names
		}
	}
}

func plainSyntax(text string) string {
	text = strings.ReplaceAll(text, "'STRING'", "the string")
	text = strings.ReplaceAll(text, "'IDENT'", "a name")
	text = strings.ReplaceAll(text, "'EOF'", "the end of the file")
	return strings.ReplaceAll(text, "newline", "the end of the line")
}

func syntaxHelp(text string) string {
	switch {
	case strings.Contains(text, "missing ',' in list literal"), strings.Contains(text, "missing ',' in struct literal"):
		return "separate entries with a comma or a new line"
	case strings.Contains(text, "string literal not terminated"):
		return `close the string with "`
	case strings.Contains(text, "EOF"), strings.Contains(text, "found '}'"):
		return "a bracket before it was opened and not closed, or a value is missing"
	case strings.Contains(text, "expected label or ':'"):
		return "a field is written as name: value"
	}
	return ""
}

// rawErrors turns CUE's own errors into diagnostics, one for each value.
type rawErrors struct {
	src      *source
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
		return strings.HasSuffix(d.Path, "]") && r.bad[fieldOf(d.Path)] // the list was reported as a whole
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
		if c.text.MatchString(text) {
			d.Code = c.code
			d.Message = c.text.ReplaceAllString(text, c.message)
			d.Help = c.help
			break
		}
	}
	if coded.MatchString(text) {
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
			if r.src.rules[r.src.pos(p)] {
				d.Code, d.Help = diag.Rule, ""
				d.Notes = []diag.Note{{Pos: r.src.pos(p), Message: "the rule is here"}}
				return
			}
		}
	}
	if d.Code != diag.Conflict {
		return
	}
	for _, n := range r.src.others[d.Path] {
		d.Notes = append(d.Notes, diag.Note{Pos: r.src.nodePos(n), Message: "another value is given here"})
	}
	for _, p := range places {
		if len(d.Notes) == 0 && (p.File != d.Pos.File || p.Line != d.Pos.Line) && p != r.src.first {
			d.Notes = append(d.Notes, diag.Note{Pos: p, Message: "the other side of the conflict"})
		}
	}
}

// places are the user's own files' positions of a group of errors.
func (r *rawErrors) places(group []errors.Error) (list []diag.Pos) {
	for _, e := range group {
		for _, p := range errors.Positions(e) {
			at := r.src.pos(p)
			if at.File == "" || strings.HasPrefix(at.File, builtin) || slices.Contains(list, at) {
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
		if p, ok := r.src.places[at]; ok {
			return r.src.nodePos(p.node())
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
	text                *regexp.Regexp
	code, message, help string
}{
	{regexp.MustCompile(`^conflicting values (.*) and (.*) \(mismatched types (.*) and (.*)\)$`), diag.Conflict, "is both $1 and $2", "two places give different values; keep one"},
	{regexp.MustCompile(`^conflicting values (.*) and (.*)$`), diag.Conflict, "is both $1 and $2", "two places give different values; keep one"},
	{regexp.MustCompile(`^incompatible list lengths \((\d+) and (\d+)\)$`), diag.Conflict, "is a list of $1 and of $2 entries", "lists are not joined: two places must give the same list"},
	{regexp.MustCompile(`^invalid value (.*) \(out of bound (.*)\)$`), diag.Conflict, "$1 does not satisfy $2", "a rule that is unified with the profile refuses it"},
	{regexp.MustCompile(`^reference "schema" not found$`), diag.Reference, "nothing here is called schema", `add import "` + ImportPath + `" above`},
	{regexp.MustCompile(`^reference "(.*)" not found$`), diag.Reference, "nothing here is called $1", "declare it, import its package, or put it in quotes if it is a word"},
	{regexp.MustCompile(`^undefined field: (.*)$`), diag.Reference, "there is no field $1 to refer to", ""},
	{regexp.MustCompile(`^imported and not used: (.*)$`), diag.Import, "$1 is imported and not used", "remove the import, or unify the profile with schema.#Profile"},
	{regexp.MustCompile(`^.*structural cycle.*$`), diag.Cycle, "contains itself", "a value cannot be made of itself"},
	{regexp.MustCompile(`^.*cycle.*$`), diag.Cycle, "depends on itself", "give one of the values of the cycle"},
	{regexp.MustCompile(`^field not allowed$`), diag.Unknown, "is not a field of the definition that it is unified with", ""},
	{regexp.MustCompile(`(?s)^.*cannot find package ("[^"]*").*$`), diag.Import, "package $1 cannot be imported", "only CUE's own packages, the project's and " + ImportPath + " can be imported"},
	{regexp.MustCompile(`(?s)^.*builtin package (".*") undefined.*$`), diag.Import, "package $1 cannot be imported", "only CUE's own packages, the project's and " + ImportPath + " can be imported"},
	{regexp.MustCompile(`(?s)^.*import failed: (.*)$`), diag.Import, "an import fails: $1", ""},
	{regexp.MustCompile(`^(invalid .* for injection tag .*)$`), diag.Tag, "$1", "`sbx vet --tags` lists the tags of a profile and their types"},
	{regexp.MustCompile(`^no tag for "(.*)"$`), diag.Tag, "no field of the profile has @tag($1)", "`sbx vet --tags` lists the tags of a profile"},
	{regexp.MustCompile(`^@embed: open (.*?): (.*)$`), diag.Embed, "$1 cannot be embedded: $2", embedHelp},
	{regexp.MustCompile(`^@embed: (.*)$`), diag.Embed, "the file cannot be embedded: $1", embedHelp},
	{regexp.MustCompile(`^(cannot embed .*)$`), diag.Embed, "$1", embedHelp},
	{regexp.MustCompile(`^explicit error \(_\|_ literal\) in source$`), diag.Rule, "is not allowed here", ""},
	{regexp.MustCompile(`^non-concrete value (.*) in operand to (.*)$`), diag.Incomplete, "needs the value of something that is only known to be $1", ""},
	{regexp.MustCompile(`^incomplete value (.*)$`), diag.Incomplete, "has no value: it is only known to be $1", ""},
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
