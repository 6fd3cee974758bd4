package load

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/sbx-dev/sbx/schema"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/parser"

	"github.com/sbx-dev/sbx/schema/diag"
	"github.com/sbx-dev/sbx/schema/load/explain"
)

// diagnose says all that is wrong with a target that the schema has refused with
// err. It holds every value of v, which is what the user's files say by
// themselves, against the schema; what that does not explain, CUE's own errors do.
func (c *Config) diagnose(e *evaluator, src *source, v cue.Value, err error) diag.List {
	found := explain.Errors(src, c.Tags, diag.Pos{}, v.Validate(cue.All()))
	if found.Whole {
		return found.List
	}
	data := found.Values(src, explain.Schema{Definitions: e.schema(), Profile: e.profile(), Takes: takes}, v)
	list := append(found.List, checkPartial(data, src, found.Bad)...)
	if len(list) == 0 {
		return explain.Errors(src, c.Tags, diag.Pos{}, err).List
	}
	return list
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
	return explain.Errors(newSource(t.project, nil), nil, t.project.pos(path.Join(t.dir, path.Base(t.file))), err).List
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
		pos := src.At(e.Position())
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

// checkPartial checks those parts of a profile that the schema takes; bad are
// the paths of the others, about which nothing more is said.
func checkPartial(data any, src *source, bad map[string]bool) (list diag.List) {
	text, err := json.Marshal(data)
	if err != nil || data == nil {
		return nil
	}
	p, err := schema.Decode(text)
	if err != nil {
		return nil
	}
	p.Source = src
	for _, d := range p.Check() {
		if !bad[d.Path] {
			list = append(list, d)
		}
	}
	return list
}
