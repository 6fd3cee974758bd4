package explain

import (
	"fmt"
	"strconv"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/errors"

	"github.com/sbx-dev/sbx/internal/pattern"
	"github.com/sbx-dev/sbx/schema/diag"
)

// scalar checks a string, number, boolean or null.
func (w *walker) scalar(path string, def, v cue.Value) (data any, ok bool) {
	if !v.IsConcrete() {
		w.report(diag.Incomplete, path, w.src.Pos(path), "has no value: it is only known to be "+kindName(v.IncompleteKind()), w.src.TagHelp(path))
		return nil, false
	}
	if err := v.Unify(def).Validate(cue.Concrete(true)); err != nil {
		w.malformed(path, def, v, err)
		return nil, false
	}
	if err := v.Decode(&data); err != nil {
		w.report(diag.Malformed, path, w.src.Pos(path), err.Error(), "")
		return nil, false
	}
	return data, true
}

// malformed explains why the schema refuses a value.
func (w *walker) malformed(path string, def, v cue.Value, err error) {
	written := literal(v)
	if allowed := enumeration(def); allowed != nil {
		word, _ := v.String()
		w.report(diag.NotAllowed, path, w.src.Pos(path), fmt.Sprintf("%s is not one of the words allowed here", written), suggestFrom(word, allowed))
		return
	}
	for _, e := range errors.Errors(err) {
		format, args := e.Msg()
		if text := fmt.Sprintf(format, args...); coded().MatchString(text) {
			code, message, help := explain(text, written)
			word, _ := v.String()
			w.report(code, path, w.src.Pos(path), precise(code, word, message), w.rewrite(code, def, v, help))
			return
		}
	}
	format, args := errors.Errors(err)[0].Msg()
	w.report(diag.Malformed, path, w.src.Pos(path), written+" is not allowed here: "+fmt.Sprintf(format, args...), "")
}

// rewrite adds to the help what the value was likely meant to be, if the schema
// would take that.
func (w *walker) rewrite(code string, def, v cue.Value, help string) string {
	text, err := v.String()
	guess := rewrites[code]
	if err != nil || guess == nil || len(text) > 256 {
		return help
	}
	better := guess(text)
	if better == "" || better == text || def.Unify(w.ctx.Encode(better)).Validate(cue.Concrete(true)) != nil {
		return help
	}
	return fmt.Sprintf("did you mean %q? %s", better, help)
}

// coded is the form of the schema's own messages: a code, what the value is not,
// and what is wanted.
var coded = pattern.Of(`^(SBX[0-9]{4}): (not [^:]+): (.*)$`)

// explain takes a message of the schema apart.
func explain(text, written string) (code, message, help string) {
	m := coded().FindStringSubmatch(text)
	if m == nil {
		return diag.Malformed, written + " is not allowed here", ""
	}
	return m[1], written + " is " + m[2], m[3]
}

// schemaText is the message that def has for a value that it refuses.
func (w *walker) schemaText(def cue.Value) string {
	impossible := w.ctx.CompileString(`{_|_}`)
	if def.IncompleteKind()&cue.StringKind != 0 {
		impossible = w.ctx.CompileString(`"\u0000"`)
	} else if def.IncompleteKind()&cue.NumberKind != 0 {
		impossible = w.ctx.CompileString(`-1`)
	}
	for _, e := range errors.Errors(def.Unify(impossible).Validate(cue.Concrete(true))) {
		format, args := e.Msg()
		if text := fmt.Sprintf(format, args...); coded().MatchString(text) {
			return text
		}
	}
	return ""
}

// enumeration lists the words of a disjunction of words; nil where def is
// something else. Where numbers are allowed as well, the last one says so.
func enumeration(def cue.Value) []string {
	words, numbers := alternatives(def, 0)
	if len(words) < 2 {
		return nil
	}
	if numbers {
		words = append(words, "or its number")
	}
	return words
}

func alternatives(def cue.Value, depth int) (words []string, numbers bool) {
	if word, err := def.String(); err == nil {
		return []string{word}, false
	}
	op, args := operands(def)
	if depth > 4 || op != cue.OrOp && op != cue.AndOp {
		return nil, def.IncompleteKind() == cue.IntKind
	}
	for _, a := range args {
		w, n := alternatives(a, depth+1)
		words, numbers = append(words, w...), numbers || n
	}
	return words, numbers
}

// literal writes a value as a person would, not longer than a line.
func literal(v cue.Value) string {
	if s, err := v.String(); err == nil {
		return strconv.Quote(diag.Short(s))
	}
	if data, err := v.MarshalJSON(); err == nil {
		return diag.Short(string(data))
	}
	return "this"
}

// kindName says what values of a kind are called.
func kindName(k cue.Kind) string {
	if k == cue.IntKind {
		return "a whole number"
	}
	var names []string
	for _, n := range []struct {
		kind cue.Kind
		name string
	}{
		{cue.StringKind, "a string"}, {cue.IntKind, "a number"}, {cue.FloatKind, "a number"}, {cue.BoolKind, "true or false"},
		{cue.ListKind, "a list"}, {cue.StructKind, "a struct"}, {cue.NullKind, "null"}, {cue.BytesKind, "bytes"},
	} {
		if k&n.kind != 0 && (len(names) == 0 || names[len(names)-1] != n.name) {
			names = append(names, n.name)
		}
	}
	return enumerate(names, "or")
}

// enumerate joins words as in "a, b and c".
func enumerate(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	n := len(words) - 1
	return strings.Join(words[:n], ", ") + " " + last + " " + words[n]
}
