package explain

import (
	"fmt"
	"strings"

	"github.com/sbx-dev/sbx/schema"

	"cuelang.org/go/cue"

	"github.com/sbx-dev/sbx/schema/diag"
)

func (w *walker) sequence(path string, def, v cue.Value) (any, bool) {
	elems := Elements(v)
	data := make([]any, len(elems))
	if w.count(path, def, v, len(elems)) {
		return nil, false
	}
	if isRuleList(path) {
		return w.rules(path, elems), true
	}
	blank := w.ctx.CompileString("[" + strings.Repeat("_,", len(elems)) + "]")
	defs := def.Unify(blank)
	for i, e := range elems {
		data[i], _ = w.value(schema.Elem(path, i), defs.LookupPath(cue.MakePath(cue.Index(i))), e)
	}
	return data, true
}

// Elements are those of a list, which may be an error because one of them is;
// none of what is no list.
func Elements(v cue.Value) (list []cue.Value) {
	it, err := v.Fields(cue.All())
	for err == nil && it.Next() {
		if it.Selector().LabelType() == cue.IndexLabel {
			list = append(list, it.Value())
		}
	}
	return list
}

// count checks how many parts a list or map has.
func (w *walker) count(path string, def, v cue.Value, n int) (wrong bool) {
	least, most := Bounds(def)
	unit := "entries"
	switch {
	case n < least && !w.badBelow(path):
		w.report(diag.TooMany, path, w.src.Pos(path), "the list is empty", "give at least one entry, or leave the field out")
	case most > 0 && n > most:
		w.report(diag.TooMany, path, w.src.Pos(path), fmt.Sprintf("%d %s are too many: at most %d are allowed", n, unit, most), "")
	default:
		return false
	}
	return true
}

// Bounds finds list.MinItems, list.MaxItems and struct.MaxFields in def.
func Bounds(def cue.Value) (least, most int) {
	op, args := operands(def)
	switch op {
	case cue.AndOp:
		for _, a := range args {
			l, m := Bounds(a)
			least, most = max(least, l), max(most, m)
		}
	case cue.CallOp:
		if len(args) != 2 {
			return 0, 0
		}
		n, err := args[1].Int64()
		switch name := fmt.Sprint(args[0]); {
		case err != nil:
		case strings.HasSuffix(name, "MinItems"):
			least = int(n)
		case strings.HasSuffix(name, "MaxItems"), strings.HasSuffix(name, "MaxFields"):
			most = int(n)
		}
	}
	return least, most
}
