package guard

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/sbx-dev/sbx/schema"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/build"
	"cuelang.org/go/cue/token"

	"github.com/sbx-dev/sbx/schema/diag"
)

// Bounds of what a profile may evaluate to.
const (
	maxWeight       = 1_000_000 // values, and bytes of texts
	maxAlternatives = 1_000     // ways in which disjunctions combine
	maxParts        = 10_000    // entries of one list or struct, in which CUE searches from the front
)

// weight is an upper bound of what an expression becomes: how many values and
// bytes, and in how many ways it can be chosen from disjunctions.
type weight struct{ size, ways float64 }

var one = weight{1, 1}

func (w weight) plus(o weight) weight { return weight{w.size + o.size, w.ways * o.ways} }

// scale weighs a user's syntax trees before they are evaluated, because CUE's
// evaluation cannot be stopped: a few lines whose references double what they
// refer to would fill the memory.
type scale struct {
	known map[ast.Node]weight
	split map[ast.Node]parts
	busy  map[ast.Node]bool
	over  ast.Node // the first expression that is too heavy
	why   string
}

// Places finds where in the user's files something stands.
type Places interface {
	Pos(path string) diag.Pos
	At(token.Pos) diag.Pos
}

// Weigh reports what makes an instance's files too heavy to evaluate; nil if
// nothing does.
func Weigh(inst *build.Instance, src Places) diag.List {
	s := &scale{known: make(map[ast.Node]weight), split: make(map[ast.Node]parts), busy: make(map[ast.Node]bool)}
	total := one
	for _, f := range Files(inst) {
		total = total.plus(s.decls(f.Decls))
		s.check(f, weight{total.size, 1})
	}
	if s.over == nil {
		return nil
	}
	pos := src.At(s.over.Pos())
	if _, ok := s.over.(*ast.File); ok {
		pos = src.Pos("")
	}
	return diag.List{{Pos: pos, Severity: diag.Error, Code: diag.TooMuch, Message: s.why,
		Help: "write it out more plainly: a profile is small"}}
}

// Files lists the user's files that an instance is made of.
func Files(inst *build.Instance) []*ast.File { return withImports(inst, nil) }

func withImports(inst *build.Instance, seen map[*build.Instance]bool) []*ast.File {
	if seen == nil {
		seen = make(map[*build.Instance]bool)
	}
	if seen[inst] || strings.HasPrefix(inst.ImportPath, schema.ImportPath) {
		return nil
	}
	seen[inst] = true
	files := inst.Files
	for _, imp := range inst.Imports {
		files = append(files[:len(files):len(files)], withImports(imp, seen)...)
	}
	return files
}

// check remembers the first node that is too heavy.
func (s *scale) check(n ast.Node, w weight) weight {
	switch {
	case s.over != nil:
	case w.size > maxWeight || math.IsNaN(w.size):
		s.over, s.why = n, fmt.Sprintf("this can become more than %d values and letters", maxWeight)
	case w.ways > maxAlternatives:
		s.over, s.why = n, fmt.Sprintf("the alternatives of this combine in more than %d ways", maxAlternatives)
	}
	return weight{math.Min(w.size, 2*maxWeight), math.Min(w.ways, 2*maxAlternatives)}
}

// crowded remembers the first entry that is one too many, of n.
func (s *scale) crowded(entry ast.Node, n int) {
	if s.over == nil {
		s.over, s.why = entry, fmt.Sprintf("there are %d entries here: a list or struct may have %d", n, maxParts)
	}
}

// decls weighs the parts of a struct. The same field given twice is unified, and
// so are embedded values.
func (s *scale) decls(decls []ast.Decl) weight {
	if len(decls) > maxParts {
		s.crowded(decls[maxParts], len(decls))
	}
	total := one
	ways := make(map[string]float64)
	for _, d := range decls {
		switch d := d.(type) {
		case *ast.Field:
			w := s.node(d)
			total.size += w.size
			name, _, err := ast.LabelName(d.Label)
			if err != nil {
				name = "" // a pattern or computed name may be any
			}
			ways[name] = max(1, ways[name]) * w.ways
			s.check(d, weight{1, ways[name]})
		case *ast.EmbedDecl:
			total = total.plus(s.expr(d.Expr))
		case *ast.LetClause:
			total.size += s.node(d).size
		case *ast.Comprehension:
			total = total.plus(s.comprehension(d))
		}
	}
	return total
}

// node weighs a declaration that others can refer to, once.
func (s *scale) node(n ast.Node) weight {
	if w, ok := s.known[n]; ok {
		return w
	}
	if s.busy[n] {
		return one // a cycle, which CUE reports
	}
	s.busy[n] = true
	defer delete(s.busy, n)
	w := one
	switch n := n.(type) {
	case *ast.Field:
		w = s.expr(n.Value)
	case *ast.LetClause:
		w = s.expr(n.Expr)
	case *ast.Alias:
		w = s.expr(n.Expr)
	case *ast.ForClause: // its variable
		w = weight{s.parts(n.Source).each, 1}
	case ast.Expr:
		w = s.expr(n)
	}
	w = s.check(n, w)
	s.known[n] = w
	return w
}

func (s *scale) expr(e ast.Expr) weight {
	w := one
	switch e := e.(type) {
	case *ast.BasicLit:
		w = s.literal(e)
	case *ast.Interpolation:
		for _, part := range e.Elts {
			w = w.plus(s.expr(part))
		}
	case *ast.Ident:
		if e.Node != nil {
			w = weight{s.node(e.Node).size, s.node(e.Node).ways}
		}
	case *ast.SelectorExpr:
		w = s.expr(e.X)
	case *ast.IndexExpr:
		w = s.expr(e.X).plus(s.expr(e.Index))
	case *ast.SliceExpr:
		w = s.expr(e.X)
	case *ast.ParenExpr:
		w = s.expr(e.X)
	case *ast.UnaryExpr:
		w = s.expr(e.X)
	case *ast.Alias:
		w = s.expr(e.Expr)
	case *ast.StructLit:
		w = s.decls(e.Elts)
	case *ast.ListLit:
		if len(e.Elts) > maxParts {
			s.crowded(e.Elts[maxParts], len(e.Elts))
		}
		for _, elem := range e.Elts {
			w.size += s.expr(elem).size
		}
	case *ast.Ellipsis:
		if e.Type != nil {
			w = s.expr(e.Type)
		}
	case *ast.Comprehension:
		w = s.comprehension(e)
	case *ast.CallExpr:
		w = s.call(e)
	case *ast.BinaryExpr:
		w = s.binary(e)
	}
	return s.check(e, w)
}

// comprehension weighs its body once for each thing that it goes over.
func (s *scale) comprehension(c *ast.Comprehension) weight {
	times := 1.0 // so far: a clause is weighed once for each round of those before it
	total := one
	for _, clause := range c.Clauses {
		switch clause := clause.(type) {
		case *ast.ForClause:
			source := s.expr(clause.Source)
			total = total.plus(weight{source.size * times, source.ways})
			times *= s.parts(clause.Source).count
		case *ast.IfClause:
			total = total.plus(s.expr(clause.Condition))
		case *ast.LetClause:
			total = total.plus(s.node(clause))
		}
	}
	body := s.expr(c.Value)
	return s.check(c, weight{total.size + body.size*times, total.ways * body.ways})
}

func (s *scale) literal(l *ast.BasicLit) weight {
	if l.Kind == token.INT || l.Kind == token.FLOAT {
		if i := strings.IndexAny(l.Value, "eE"); i >= 0 && !strings.HasPrefix(l.Value, "0x") {
			exponent, err := strconv.Atoi(strings.ReplaceAll(l.Value[i+1:], "_", ""))
			if err != nil || exponent > 100 || exponent < -100 {
				return weight{2 * maxWeight, 1}
			}
		}
	}
	return weight{float64(len(l.Value)), 1}
}

func (s *scale) binary(e *ast.BinaryExpr) weight {
	x, y := s.expr(e.X), s.expr(e.Y)
	switch e.Op {
	case token.OR:
		return weight{x.size + y.size, x.ways + y.ways}
	case token.MUL:
		if times, ok := number(e.Y); ok {
			return weight{x.size * max(1, math.Abs(times)), x.ways}
		}
		if times, ok := number(e.X); ok {
			return weight{y.size * max(1, math.Abs(times)), y.ways}
		}
		return weight{2 * maxWeight, 1} // of a text, that is any number of times
	}
	return x.plus(y)
}

// growing are the functions that give more than they take. What they multiply
// with is the argument at that index, which must be written as a number.
var growing = map[string]int{"Repeat": 1, "Range": 1, "FormatInt": -1, "Pow": -1}

func (s *scale) call(e *ast.CallExpr) weight {
	w := one
	for _, a := range e.Args {
		w = w.plus(s.expr(a))
	}
	sel, ok := e.Fun.(*ast.SelectorExpr)
	if !ok {
		return w
	}
	name, _, err := ast.LabelName(sel.Sel)
	if err != nil {
		return w
	}
	if strings.HasPrefix(name, "Replace") || name == "Join" {
		product := 1.0
		for _, a := range e.Args {
			product *= max(1, s.expr(a).size)
		}
		return weight{product, w.ways}
	}
	at, ok := growing[name]
	switch {
	case !ok || at < 0:
		return w
	case at >= len(e.Args):
		return w
	}
	times, ok := number(e.Args[at])
	if name == "Range" {
		times, ok = rangeCount(e.Args)
	}
	if !ok {
		return weight{2 * maxWeight, 1}
	}
	return weight{w.size * max(1, math.Abs(times)), w.ways}
}
