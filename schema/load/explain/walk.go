package explain

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sbx-dev/sbx/schema"

	"cuelang.org/go/cue"

	"github.com/sbx-dev/sbx/schema/diag"
)

// walker holds what a user's files say against the schema, value by value, and
// reports every value that does not fit by itself.
type walker struct {
	src   Source
	ctx   *cue.Context
	top   cue.Value // `_`
	defs  cue.Value // the schema's package
	takes func(rule cue.Value) (data any, ok bool)
	bad   map[string]bool // paths that were reported, or whose parents were
	list  diag.List

	slips map[string][]string // by struct, the fields that unknown ones were likely meant to be
}

func (w *walker) report(code, path string, at diag.Pos, message, help string) {
	w.bad[path] = true
	w.list = append(w.list, &diag.Diagnostic{Pos: at, Severity: diag.Error, Code: code, Path: path, Message: message, Help: help})
}

// value checks v against def and returns v as JSON would hold it, without the
// parts that are wrong; ok is false where nothing of it is right.
func (w *walker) value(path string, def, v cue.Value) (data any, ok bool) {
	if w.bad[path] {
		return nil, false
	}
	v, _ = v.Default()
	kind := v.IncompleteKind()
	if kind == cue.BottomKind { // there is an error in it, which CUE has reported
		if kind = container(v); kind == cue.BottomKind {
			return nil, false
		}
	}
	def = branch(def, kind)
	if !fits(def, kind) {
		w.wrongType(path, def, v, kind)
		return nil, false
	}
	switch kind {
	case cue.StructKind:
		return w.structure(path, def, v)
	case cue.ListKind:
		return w.sequence(path, def, v)
	}
	return w.scalar(path, def, v)
}

// operands takes a value of the schema apart, through the definitions that it
// refers to.
func operands(def cue.Value) (cue.Op, []cue.Value) {
	op, args := def.Expr()
	for range 8 {
		if op != cue.SelectorOp {
			break
		}
		to := cue.Dereference(def)
		if to == def {
			break
		}
		def = to
		op, args = def.Expr()
	}
	return op, args
}

// branch is the part of a disjunction that holds values of the kind.
func branch(def cue.Value, kind cue.Kind) cue.Value {
	op, args := operands(def)
	if op != cue.OrOp {
		return def
	}
	var fit []cue.Value
	for _, a := range args {
		if fits(a, kind) {
			fit = append(fit, a)
		}
	}
	if len(fit) == 1 && (kind == cue.ListKind || kind == cue.StructKind) {
		return fit[0]
	}
	return def
}

// fits reports whether def may hold a value of the kind. A struct that wants one
// of several fields is an error as long as it has none.
func fits(def cue.Value, kind cue.Kind) bool {
	want := def.IncompleteKind()
	if want == cue.BottomKind {
		want = cue.StructKind
	}
	return want&kind != 0
}

func (w *walker) wrongType(path string, def, v cue.Value, kind cue.Kind) {
	want := def.IncompleteKind()
	if want == cue.BottomKind {
		want = cue.StructKind
	}
	help := ""
	if _, text, ok := strings.Cut(w.schemaText(def), ": "); ok {
		_, help, _ = strings.Cut(text, ": ")
	}
	if quoted := strconv.Quote(literal(v)); want&cue.StringKind != 0 && kind&cue.NumberKind != 0 {
		if def.Unify(w.ctx.CompileString(quoted)).Validate(cue.Concrete(true)) == nil {
			help = "write it in quotes: " + quoted
		}
	}
	if want == cue.StructKind && help == "" {
		help = forms[lastField(path)]
	}
	if want&cue.ListKind != 0 && kind&(cue.StringKind|cue.NumberKind) != 0 {
		help = fmt.Sprintf("write it as a list: [%s]", literal(v))
	}
	got := kindName(kind)
	if want&cue.NumberKind == cue.IntKind && kind == cue.FloatKind {
		got = "a number with a fraction"
	}
	w.report(diag.WrongType, path, w.src.Pos(path), fmt.Sprintf("want %s, not %s", kindName(want), got), help)
}

// lastField is the field that a path ends with, or the map and "." for an entry
// of a map.
func lastField(path string) string {
	if strings.HasSuffix(path, `"`) {
		return schema.Enclosing(path) + "."
	}
	return path[strings.LastIndex(path, ".")+1:]
}

// container is the kind of a list or struct that is an error because something
// in it is.
func container(v cue.Value) cue.Kind {
	if len(Elements(v)) > 0 {
		return cue.ListKind
	}
	if _, err := v.Fields(); err == nil {
		return cue.StructKind
	}
	return cue.BottomKind
}

func (w *walker) structure(path string, def, v cue.Value) (any, bool) {
	data := make(map[string]any)
	fields, err := v.Fields()
	if err != nil {
		return nil, false
	}
	names := FieldNames(def)
	if len(names) == 0 && w.count(path, def, v, countFields(v)) {
		return nil, false
	}
	for fields.Next() {
		name := fields.Selector().Unquoted()
		at := schema.Field(path, name)
		if w.bad[at] {
			continue
		}
		sub, ok := w.fieldDef(def, name)
		if !ok {
			w.unknown(path, at, name, def, names)
			continue
		}
		if d, ok := w.value(at, sub, fields.Value()); ok {
			data[name] = d
		}
	}
	w.required(path, def, v)
	w.exactlyOne(path, def, v)
	return data, true
}

func countFields(v cue.Value) (n int) {
	for it, err := v.Fields(); err == nil && it.Next(); {
		n++
	}
	return n
}

// fieldDef is what the schema says of a field of def.
func (w *walker) fieldDef(def cue.Value, name string) (cue.Value, bool) {
	for _, sel := range []cue.Selector{cue.Str(name), cue.Str(name).Optional(), cue.Str(name).Required()} {
		if f := def.LookupPath(cue.MakePath(sel)); f.Exists() {
			return f, true
		}
	}
	if len(FieldNames(def)) > 0 || !def.Allows(cue.Str(name)) {
		return cue.Value{}, false // a struct has either fields or a pattern for keys
	}
	p := cue.MakePath(cue.Str(name))
	return def.FillPath(p, w.top).LookupPath(p), true
}

// FieldNames are the fields that def names itself.
func FieldNames(def cue.Value) (names []string) {
	it, err := def.Fields(cue.Optional(true))
	for err == nil && it.Next() {
		names = append(names, it.Selector().Unquoted())
	}
	return names
}

// unknown reports a field that the schema does not have, or the key of a map
// that is not of the form that its keys have.
func (w *walker) unknown(path, at, name string, def cue.Value, names []string) {
	pos := w.src.Label(at)
	if a := def.Attribute("keys"); a.Err() == nil {
		key := w.defs.LookupPath(cue.ParsePath(a.Contents()))
		code, message, help := explain(w.schemaText(key), strconv.Quote(diag.Short(name)))
		w.report(code, at, pos, precise(code, name, message), help)
		return
	}
	message := fmt.Sprintf("there is no field %q here", diag.Short(name))
	if path == "" {
		message = fmt.Sprintf("a profile has no field %q", diag.Short(name))
	}
	slices.Sort(names)
	help := suggestFrom(name, names)
	if hint := elsewhere[name]; hint != "" {
		help = hint
	}
	w.slips[path] = append(w.slips[path], didYouMean(name, names))
	w.report(diag.Unknown, at, pos, message, help)
}

func (w *walker) required(path string, def, v cue.Value) {
	it, err := def.Fields(cue.Optional(true))
	for err == nil && it.Next() {
		sel := it.Selector()
		if sel.ConstraintType() != cue.RequiredConstraint {
			continue
		}
		name := sel.Unquoted()
		at := schema.Field(path, name)
		if !w.bad[at] && !slices.Contains(w.slips[path], name) && !v.LookupPath(cue.MakePath(cue.Str(name))).Exists() {
			w.report(diag.Missing, at, w.src.Pos(path), fmt.Sprintf("%s is missing", name), examples[name])
		}
	}
}

// exactlyOne checks the fields of which a struct has one.
func (w *walker) exactlyOne(path string, def, v cue.Value) {
	choices := oneOf(def)
	if choices == nil {
		return
	}
	var set []string
	for _, name := range choices {
		if v.LookupPath(cue.MakePath(cue.Str(name))).Exists() {
			set = append(set, name)
		}
	}
	switch {
	case len(set) == 1:
	case len(set) == 0:
		if w.badBelow(path) {
			return // a slip of the name was reported
		}
		none := "none of " + enumerate(choices, "and") + " is set"
		if len(choices) == 2 {
			none = "neither " + enumerate(choices, "nor") + " is set"
		}
		w.report(diag.ExactlyOne, path, w.src.Pos(path), none, "set exactly one of them")
	default:
		w.report(diag.ExactlyOne, path, w.src.Pos(path), enumerate(set, "and")+" are both set", "keep one of them")
		if len(set) > 2 {
			w.list[len(w.list)-1].Message = enumerate(set, "and") + " are all set"
		}
		for _, name := range set {
			d := w.list[len(w.list)-1]
			d.Notes = append(d.Notes, diag.Note{Pos: w.src.Label(schema.Field(path, name)), Message: name + " is set here"})
		}
	}
}

func (w *walker) badBelow(path string) bool {
	for p := range w.bad {
		if schema.Enclosing(p) == path {
			return true
		}
	}
	return false
}

// oneOf finds a `matchN(1, [{a!: _}, …])` in def and lists its fields.
func oneOf(def cue.Value) (names []string) {
	op, args := operands(def)
	switch op {
	case cue.AndOp:
		for _, a := range args {
			if names := oneOf(a); names != nil {
				return names
			}
		}
	case cue.CallOp:
		if len(args) != 3 || fmt.Sprint(args[0]) != "matchN" {
			return nil
		}
		it, err := args[2].List()
		for err == nil && it.Next() {
			names = append(names, FieldNames(it.Value())...)
		}
	}
	return names
}
