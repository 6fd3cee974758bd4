package reference

import (
	"fmt"
	"strconv"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/format"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/token"
)

// typeOf says in words what a value must be. Where the schema has an error of its
// own for what is wrong, its words are taken: "…: want a whole number from 1 on".
func (r *reader) typeOf(e ast.Expr, key string) (string, error) {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return r.typeOf(e.X, key)
	case *ast.BasicLit:
		return "`" + e.Value + "`", nil
	case *ast.Ident:
		return r.named(e.Name, key)
	case *ast.ListLit:
		return r.list(e, "", key)
	case *ast.StructLit:
		return r.table(e, "", key)
	case *ast.BinaryExpr:
		if e.Op == token.OR {
			return r.either(operands(e, token.OR), key)
		}
		if e.Op == token.AND {
			return r.bounded(operands(e, token.AND), key)
		}
	}
	return "", unreadable(e)
}

// unreadable is for whoever writes what this package has not met yet.
func unreadable(e ast.Expr) error {
	text, _ := format.Node(e)
	return fmt.Errorf("schema/reference does not know how to say %s in words: teach typeOf, or give the schema an error(\"SBX…: not a …: want …\")", text)
}

func (r *reader) named(name, key string) (string, error) {
	switch name {
	case "bool":
		return "`true` or `false`", nil
	case "string":
		return "a text", nil
	}
	def := r.defs[name]
	if def == nil {
		return "", fmt.Errorf("schema/reference does not know what %s is", name)
	}
	if fields, _ := def.shape(); fields != nil {
		return "`" + name + "`", nil
	}
	return r.typeOf(def.expr, key)
}

// either is a disjunction.
func (r *reader) either(list []ast.Expr, key string) (string, error) {
	var words []string
	for i, e := range list {
		if want, ok := wanted(e); ok {
			return want, nil
		}
		if i == 1 && sameInList(list[0], e) {
			one, err := r.typeOf(list[0], key)
			return one + "; or a list" + most(e) + " of such", err
		}
		text, err := r.typeOf(e, key)
		if err != nil && !hasError(list) {
			return "", err
		}
		words = append(words, text)
	}
	if len(words) == 1 {
		return words[0], nil
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1], nil
}

// hasError reports whether an alternative is the schema's own error.
func hasError(list []ast.Expr) bool {
	for _, e := range list {
		if _, ok := wanted(e); ok {
			return true
		}
	}
	return false
}

// wanted reads error("SBX0022: not a size: want a whole number …"), as
// "a size: a whole number …".
func wanted(e ast.Expr) (string, bool) {
	call, ok := e.(*ast.CallExpr)
	if !ok || callee(call) != "error" || len(call.Args) != 1 {
		return "", false
	}
	lit, ok := call.Args[0].(*ast.BasicLit)
	if !ok {
		return "", false
	}
	text, err := literal.Unquote(lit.Value)
	if err != nil {
		return "", false
	}
	_, text, _ = strings.Cut(text, ": not ") // behind the code
	what, want, ok := strings.Cut(text, ": want ")
	return what + ": " + want, ok
}

// bounded is a conjunction: a list or a map with a bound, or a whole number.
func (r *reader) bounded(parts []ast.Expr, key string) (string, error) {
	limit := ""
	for _, p := range parts {
		limit += most(p)
	}
	switch e := parts[0].(type) {
	case *ast.ListLit:
		return r.list(e, limit, key)
	case *ast.StructLit:
		return r.table(e, limit, key)
	case *ast.Ident:
		if e.Name == "int" && len(parts) == 3 {
			low, lok := bound(parts[1], token.GEQ)
			high, hok := bound(parts[2], token.LEQ)
			if lok && hok {
				return "a whole number from " + low + " to " + high, nil
			}
		}
	}
	return "", unreadable(&ast.BinaryExpr{X: parts[0], Op: token.AND, Y: parts[1]})
}

// bound reads ">=1".
func bound(e ast.Expr, op token.Token) (string, bool) {
	unary, ok := e.(*ast.UnaryExpr)
	if !ok || unary.Op != op {
		return "", false
	}
	lit, ok := unary.X.(*ast.BasicLit)
	if !ok {
		return "", false
	}
	return lit.Value, true
}

// most reads list.MaxItems(16) and struct.MaxFields(16), alone or among others.
func most(e ast.Expr) string {
	for _, part := range operands(e, token.AND) {
		call, ok := part.(*ast.CallExpr)
		if !ok || callee(call) != "list.MaxItems" && callee(call) != "struct.MaxFields" {
			continue
		}
		if lit, ok := call.Args[0].(*ast.BasicLit); ok {
			if n, err := strconv.Atoi(lit.Value); err == nil {
				return fmt.Sprintf(" of at most %d", n)
			}
		}
	}
	return ""
}

func (r *reader) list(lit *ast.ListLit, limit, key string) (string, error) {
	var first string
	for i, e := range lit.Elts {
		tail, ok := e.(*ast.Ellipsis)
		switch {
		case !ok && i == 0:
			text, err := r.typeOf(e, key)
			if err != nil {
				return "", err
			}
			first = text
		case ok:
			text, err := r.typeOf(tail.Type, key)
			if err != nil {
				return "", err
			}
			if first != "" && first != text {
				return "a list" + limit + "; the first is " + first + "; each other " + text, nil
			}
			return "a list" + limit + "; each is " + text, nil
		}
	}
	return "", unreadable(lit)
}

// table is a map from keys to values.
func (r *reader) table(lit *ast.StructLit, limit, key string) (string, error) {
	if len(lit.Elts) != 1 {
		return "", unreadable(lit)
	}
	f, ok := lit.Elts[0].(*ast.Field)
	if !ok {
		return "", unreadable(lit)
	}
	text, err := r.typeOf(f.Value, key)
	return "a struct" + limit + ", with a field for each " + key + ": " + text, err
}
